"""The papers' tables, rerun: published values as data, the runs behind each row, and the tables made of both."""

from snnface.app.reproduction.plan import ReproduceConfig
from snnface.app.reproduction.reproduce import reproduce
from snnface.app.reproduction.tables import TABLES, table_named

__all__ = ["TABLES", "ReproduceConfig", "reproduce", "table_named"]
