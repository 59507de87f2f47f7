"""What the verbs need from the world.

Rows are plain, frozen and free of behaviour; protocols are implemented by `gateway.store`, `adapters` and the fakes of
the tests, and each has one contract suite that runs on every implementation. Each part of a unit of work has a module
here; `gateway.store.parts` and `gateway/store/sql` have one of the same name.

This package refuses to know SQL, HTTP and files.
"""

from __future__ import annotations

from gateway.ports.acts import ActsAsked, Evidence, KeptEvent, LogSeen, ProvenAct, Prover, ReadsRow, Stretch, Stretches
from gateway.ports.cases import CaseChange, Caseload, CaseRow, JudgedRow, ScreeningRow, SeatRow
from gateway.ports.clock import Clock, Ids, Reached, Round, Wake, nobody, nothing
from gateway.ports.comwel import (
    EntryRecord,
    FactsRecord,
    FileHead,
    HandedFile,
    HandedFiles,
    HandoverReader,
    Problem,
    RtwRegister,
    place_of,
)
from gateway.ports.facts import CheckRow, FactRow, Facts, ToldRow, UpdateRow
from gateway.ports.handovers import HandoverFile, Handovers, ParkedRow, QuarantinedRow
from gateway.ports.inbox import Arrival, HeldRow, Inbox, InboxRow, Met
from gateway.ports.keys import KeyRow, Keys, TurnedKeys
from gateway.ports.legs import LegRow, Legs, ReferralRow
from gateway.ports.lines import LineRow, Lines
from gateway.ports.observer import Observer, Reading, Unobserved
from gateway.ports.outbox import AttemptRow, Claim, DeadRow, Finish, MessageRow, Outbox, ReceiptRow, ReplayRow
from gateway.ports.partners import Answer, Outgoing, PartnerChannel, Said
from gateway.ports.reconciliation import BookedRow, DifferenceRow, Reconciliation, ReconciliationRow
from gateway.ports.retention import HoldRow, Retention
from gateway.ports.store import FAMILIES, KINDS, OpenWork, Store, Unit, WorkItem
from gateway.ports.witnesses import WitnessAnswer, WitnessChannel

__all__ = [
    "FAMILIES",
    "KINDS",
    "ActsAsked",
    "Answer",
    "Arrival",
    "AttemptRow",
    "BookedRow",
    "CaseChange",
    "CaseRow",
    "Caseload",
    "CheckRow",
    "Claim",
    "Clock",
    "DeadRow",
    "DifferenceRow",
    "EntryRecord",
    "Evidence",
    "FactRow",
    "Facts",
    "FactsRecord",
    "FileHead",
    "Finish",
    "HandedFile",
    "HandedFiles",
    "HandoverFile",
    "HandoverReader",
    "Handovers",
    "HeldRow",
    "HoldRow",
    "Ids",
    "Inbox",
    "InboxRow",
    "JudgedRow",
    "KeptEvent",
    "KeyRow",
    "Keys",
    "LegRow",
    "Legs",
    "LineRow",
    "Lines",
    "LogSeen",
    "MessageRow",
    "Met",
    "Observer",
    "OpenWork",
    "Outbox",
    "Outgoing",
    "ParkedRow",
    "PartnerChannel",
    "Problem",
    "ProvenAct",
    "Prover",
    "QuarantinedRow",
    "Reached",
    "Reading",
    "ReadsRow",
    "ReceiptRow",
    "Reconciliation",
    "ReconciliationRow",
    "ReferralRow",
    "ReplayRow",
    "Retention",
    "Round",
    "RtwRegister",
    "Said",
    "ScreeningRow",
    "SeatRow",
    "Store",
    "Stretch",
    "Stretches",
    "ToldRow",
    "TurnedKeys",
    "Unit",
    "Unobserved",
    "UpdateRow",
    "Wake",
    "WitnessAnswer",
    "WitnessChannel",
    "WorkItem",
    "nobody",
    "nothing",
    "place_of",
]
