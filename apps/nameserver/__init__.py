"""A nameserver's zone: look up, add and remove records, list names by type, update the whole zone at once."""

from apps.nameserver.meaning import NameserverMeaning
from apps.nameserver.model import NameserverModel
from apps.nameserver.service import Nameserver
from apps.nameserver.workload import workload
from psmr.workload import Application

APPLICATION = Application(
    Nameserver, NameserverModel, workload, NameserverMeaning(), input="a zone file, or a folder with root.zone"
)

__all__ = ["APPLICATION", "Nameserver"]
