"""A networked file system: files and directories by path; pieces of files read and written in parallel."""

from apps.netfs.meaning import NetFSMeaning
from apps.netfs.model import NetFSModel
from apps.netfs.service import NetFS
from apps.netfs.workload import workload
from psmr.workload import Application

APPLICATION = Application(NetFS, NetFSModel, workload, NetFSMeaning(), input="recorded operations, one a line")

__all__ = ["APPLICATION", "NetFS"]
