"""The public names of ``privis.cards``."""

from .card_check import Against as Against
from .card_check import CardCheck as CardCheck
from .card_check import checked_card as checked_card
from .card_check import checked_table as checked_table
from .card_contents import Declaration as Declaration
from .card_key import CardKey as CardKey
from .epsilon_check import epsilon_findings as epsilon_findings
from .findings import Findings as Findings
from .gallery_content import gallery_content as gallery_content
from .ledger_chain import answers_link as answers_link
from .ledger_chain import budget_link as budget_link
from .registry.deployment_entry import deployment_entry as deployment_entry
from .registry.entry_file import entry_bytes as entry_bytes
from .registry.entry_words import EntryWords as EntryWords
from .signed_card import SignedCard as SignedCard
from .signed_content import SignedContent as SignedContent
from .table_bytes import TableContent as TableContent
from .table_bytes import content_of as content_of
