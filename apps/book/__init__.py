"""A market of limit order books: strict price-time priority, halts, self-match prevention, and events for all that happens."""

from apps.book.model import BookMeaning, BookModel
from apps.book.service import Book
from apps.book.workload import judge, workload
from psmr.workload import Application

APPLICATION = Application(Book, BookModel, workload, BookMeaning(), judge, input="a LOBSTER message file")

__all__ = ["APPLICATION", "Book"]
