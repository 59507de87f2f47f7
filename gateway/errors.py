"""Every way the gateway says no, in one tree.

A class is an HTTP status, a FHIR issue type (R4 `issue-type`), whose fault it was, and one sentence with its remedy.
Codes starting with `E-` are the hand-over codes that COMWEL's operators know; the others name the room they come from.

    GatewayError
    ├── Refused                 one of our rules said no, with a reason code
    │   ├── HandoverRefused     a file or record from COMWEL            E-ENC E-LEN E-TOTALS E-GAP E-DUP E-ORDER E-CODE
    │   │                                                               E-DATE E-RRN E-MERGE E-STALE E-LIMIT
    │   ├── PermissionRefused   nothing about this person may leave     E-RRN E-NOENTRY E-CONSENT E-LB
    │   ├── DocumentRefused     a message or data file is not what it claims   DOC-* MAP-*
    │   ├── SealRefused         origin, freshness or integrity not proven      SEAL-*
    │   ├── LogRefused          what claims to be of the exchange log does not prove it   LOG-*
    │   └── JourneyRefused      the loop's rules                               LOOP-*
    ├── DeliveryFailed          bringing a message across; named by phase      DLV-* E-POISON
    └── GatewayFault            our own house                                  GW-*

This module refuses to carry personal data: a message names file, record, field and remedy, never a value that could
belong to a person. Nothing here knows HTTP frameworks, SQL or partners.
"""

from __future__ import annotations

from enum import StrEnum
from typing import ClassVar, NamedTuple


class Fault(StrEnum):
    """Whose fault an error is, in the words of the NHS BaRS error guide."""

    SEND = "SEND"  # the sender must change something before trying again
    REC = "REC"  # the receiver cannot take it now; the sender may try again unchanged
    GATEWAY = "GATEWAY"  # the gateway's own house; its operators must act


class Place(NamedTuple):
    """Where something is wrong. `record` counts from 1; `field` is a field name, a JSON pointer or a FHIRPath."""

    file: str | None = None
    record: int | None = None
    field: str | None = None

    def __str__(self) -> str:
        parts = [self.file, f"record {self.record}" if self.record is not None else None, self.field]
        return ", ".join(p for p in parts if p)


class GatewayError(Exception):
    """Root of the tree. `str(error)` is safe to show, log and store: code, place, sentence, remedy."""

    code: ClassVar[str] = "GW-ERROR"
    status: ClassVar[int] = 500
    issue: ClassVar[str] = "exception"
    fault: ClassVar[Fault] = Fault.GATEWAY
    sentence: ClassVar[str] = "the gateway could not go on"
    remedy: ClassVar[str] = "tell the operator of the gateway"

    def __init__(self, detail: str = "", *, place: Place | None = None) -> None:
        self.detail = detail
        self.place = place or Place()
        super().__init__(detail)

    def __str__(self) -> str:
        where = f" [{self.place}]" if any(self.place) else ""
        why = f": {self.detail}" if self.detail else ""
        return f"{self.code}{where} {self.sentence}{why}; {self.remedy}"


class Refused(GatewayError):
    """One of our rules said no, with a reason code. Deterministic: the same input is refused again."""

    status = 422
    issue = "business-rule"
    fault = Fault.SEND


# ── hand-over from COMWEL ────────────────────────────────────────────────────────────────────────────────────────────
class HandoverRefused(Refused):
    """A file or a record handed over by COMWEL is refused."""


class Undecodable(HandoverRefused):
    code, issue = "E-ENC", "structure"
    sentence = "the bytes are not text in the code page of the file"
    remedy = "correct the field at the source and hand the record over again"


class WrongLength(HandoverRefused):
    code, issue = "E-LEN", "structure"
    sentence = "the length or frame is not what the layout says"
    remedy = "hand over the whole file again, or the record put right"


class TotalsMismatch(HandoverRefused):
    code, issue = "E-TOTALS", "invariant"
    sentence, remedy = "control totals do not match the content", "hand over the whole file again"


class SequenceGap(HandoverRefused):
    code, issue = "E-GAP", "business-rule"
    sentence = "an earlier file, or an earlier version of the case, is missing"
    remedy = "hand over what is missing, then a file that was refused for it again"


class DuplicateFile(HandoverRefused):
    code, issue = "E-DUP", "duplicate"
    sentence, remedy = "this file number came before with other content", "use the next number, or mode R to replace"


class WrongOrder(HandoverRefused):
    code, issue = "E-ORDER", "business-rule"
    sentence, remedy = "records or dates are out of order", "hand over in order"


class UnknownCode(HandoverRefused):
    code, issue = "E-CODE", "code-invalid"
    sentence, remedy = "the code is in no code table", "correct the code, or publish a new code table"


class ImpossibleDate(HandoverRefused):
    code, issue = "E-DATE", "value"
    sentence, remedy = "the date does not exist or cannot be", "correct the date at the source"


class ResidentNumberFound(HandoverRefused):
    code, issue = "E-RRN", "security"
    sentence = "a resident registration number (PIPA 24-2) was found"
    remedy = "remove it at the source; the gateway never takes it in"


class MergeRefused(HandoverRefused):
    code, issue = "E-MERGE", "conflict"
    sentence, remedy = "the cases cannot be merged", "check both case numbers at the source"


class StaleVersion(HandoverRefused):
    code, issue = "E-STALE", "conflict"
    sentence, remedy = "a newer version of this case is already here", "nothing to do unless the newer one is wrong"


class TooManyBadRecords(HandoverRefused):
    code, issue = "E-LIMIT", "too-costly"
    sentence, remedy = "more than max(50, 1 %) of the records are bad", "correct the export and hand it over again"


# ── permission ───────────────────────────────────────────────────────────────────────────────────────────────────────
class PermissionRefused(Refused):
    """Nothing about this person may leave, for a reason of law or consent."""

    status, issue = 403, "forbidden"


class EntryHoldsResidentNumber(PermissionRefused):
    code, issue = "E-RRN", "security"
    sentence = "the coordinator's entry held a resident registration number (PIPA 24-2)"
    remedy = "the coordinator removes it and hands the entry over again"


class EntryMissing(PermissionRefused):
    code = "E-NOENTRY"
    sentence, remedy = "no coordinator's entry for this case", "the Job Coordinator makes an entry"


class ConsentMissing(PermissionRefused):
    code = "E-CONSENT"
    sentence = "no usable consent covers this recipient now"
    remedy = "the Job Coordinator obtains or renews the consent"


class LegalBasisMissing(PermissionRefused):
    code = "E-LB"
    sentence, remedy = "no legal basis covers this message", "wait for the approval, or register a legal basis"


# ── documents and maps ───────────────────────────────────────────────────────────────────────────────────────────────
class DocumentRefused(Refused):
    """A message or a data file is not what it claims to be."""

    status, issue = 400, "invalid"


class UnreadableJson(DocumentRefused):
    code, issue = "DOC-JSON", "structure"
    sentence, remedy = "the body is not strict JSON", "send UTF-8 JSON without duplicate keys, NaN or excessive depth"


class DocumentTooLarge(DocumentRefused):
    code, status, issue = "DOC-SIZE", 413, "too-long"
    sentence, remedy = "the document is larger than the limit", "split it or ask for another limit"


class DocumentHoldsResidentNumber(DocumentRefused):
    code, status, issue = "DOC-RRN", 422, "security"
    sentence = "the document holds a resident registration number (PIPA 24-2)"
    remedy = "remove it and send a new message; nothing of this one is kept"


class DocumentInvalid(DocumentRefused):
    code, status, issue = "DOC-SCHEMA", 422, "structure"
    sentence, remedy = "the document does not keep to its schema", "correct the named elements"


class ManifestContradicted(DocumentRefused):
    code, status, issue = "DOC-MANIFEST", 422, "conflict"
    sentence = "the manifest says otherwise than the report that it is about"
    remedy = "seal it anew, as a new message, with the form, the number and the case of the report"


class MapRefused(DocumentRefused):
    code, fault = "MAP-LOAD", Fault.GATEWAY
    sentence, remedy = "the map cannot become active", "correct the named lines; run `gateway map check`"


class MappingFailed(DocumentRefused):
    code, status, issue = "MAP-RUN", 422, "processing"
    sentence, remedy = "the record cannot be mapped", "correct the named fields, or publish a new map version"


# ── sealing ──────────────────────────────────────────────────────────────────────────────────────────────────────────
class SealRefused(Refused):
    """Origin, freshness or integrity of a message is not proven."""

    status, issue = 401, "security"


class KeyRefused(SealRefused):
    code = "SEAL-KEY"
    sentence, remedy = (
        "the key is unknown, unfit or not valid at this time",
        "register the key, or sign with a valid one",
    )


class SignatureInvalid(SealRefused):
    code = "SEAL-SIGNATURE"
    sentence, remedy = "a signature does not verify", "sign the exact bytes that are sent"


class DigestMismatch(SealRefused):
    code = "SEAL-DIGEST"
    sentence, remedy = "the bytes are not the bytes that were signed", "send the exact bytes that were signed"


class NotFresh(SealRefused):
    code = "SEAL-FRESH"
    sentence, remedy = "the request is too old, too new or seen before", "sign each attempt anew with a fresh nonce"


class WrongAudience(SealRefused):
    code, status, issue = "SEAL-AUDIENCE", 403, "forbidden"
    sentence, remedy = "the message is from or for somebody else", "check sender and receiver in the manifest"


class ManifestInvalid(SealRefused):
    code, status, issue = "SEAL-MANIFEST", 400, "structure"
    sentence, remedy = "the message manifest is malformed", "build it as adapters/partners/README.md says"


# ── the exchange log ─────────────────────────────────────────────────────────────────────────────────────────────────
class LogRefused(Refused):
    """A leaf, a note or a proof is not what it claims to be."""

    issue = "security"


class LeafInvalid(LogRefused):
    code, issue = "LOG-LEAF", "structure"
    sentence, remedy = "the leaf does not keep to its schema", "compare with schemas/comwel/log-leaf"


class NoteInvalid(LogRefused):
    code = "LOG-NOTE"
    sentence = "the note is malformed, or not signed by a key that is trusted for it"
    remedy = "fetch it again; if it stays so, keep it as evidence and tell the operator"


class ProofInvalid(LogRefused):
    code = "LOG-PROOF"
    sentence = "the hashes do not lead to the signed root"
    remedy = "fetch them again; if it stays so, keep them as evidence and tell the operator"


class StampInvalid(LogRefused):
    code = "LOG-STAMP"
    sentence = "the time stamp does not prove when the checkpoint was there"
    remedy = "see GATEWAY_STAMPS_ROOT, and ask whoever runs the authority"


class NothingProven(LogRefused):
    code, status, issue = "LOG-NONE", 404, "not-found"
    sentence = "the log holds nothing of what was asked for"
    remedy = "check the id, the case or the period; a new act has its place after a second"


class NotInTheTreeYet(LogRefused):
    code, status, issue = "LOG-SOON", 404, "transient"
    sentence, remedy = "the leaf waits for its place in the log", "ask again in a second"


class PromiseBroken(LogRefused):
    code = "LOG-PROMISE"
    sentence = "the proof is not about the leaf that was promised"
    remedy = "ask again; a day after the promise keep receipt and proof as evidence and tell the operator"


class TooMuchAsked(LogRefused):
    code, status, issue = "LOG-MUCH", 413, "too-costly"
    sentence, remedy = "more was asked for than one bundle holds", "ask for a shorter period, or for one partner"


# ── the loop ─────────────────────────────────────────────────────────────────────────────────────────────────────────
class JourneyRefused(Refused):
    """The loop's own rules said no; nothing was changed and the attempt is logged."""

    status, issue = 409, "conflict"


class IllegalMove(JourneyRefused):
    code, issue = "LOOP-STATE", "invalid"
    sentence, remedy = "this act is not possible in this state", "see the leg's status and its available acts"


class NoSuchReferral(JourneyRefused):
    code, status, issue = "LOOP-NONE", 404, "not-found"
    sentence = "no referral of ours has this message id"
    remedy = "take an id from `gateway status exchanges`: a `mid` of type referral.created"


class NotYourLeg(JourneyRefused):
    code, status, issue = "LOOP-OWNER", 403, "forbidden"
    sentence, remedy = "no open leg of yours has this referral number", "check the referral number and your person id"


class SameIdOtherBytes(JourneyRefused):
    code, status, issue = "LOOP-REUSED", 422, "duplicate"
    sentence, remedy = "this message id came before with other bytes", "use a new message id for a new message"


class PartnerEnded(JourneyRefused):
    code = "LOOP-ENDED"
    sentence, remedy = "this partner is none of ours any more", "tell it by other means what it must know"


class OutcomeIncomplete(JourneyRefused):
    code, status, issue = "LOOP-INCOMPLETE", 422, "required"
    sentence, remedy = "the act lacks what it requires", "add the named facts"


class GapTooWide(JourneyRefused):
    code = "LOOP-GAP"
    sentence, remedy = (
        "too many reports wait for one that is missing",
        "send the missing report first, then this one again under a new message id",
    )


class ConsentWithdrawn(JourneyRefused):
    code, status, issue = "LOOP-WITHDRAWN", 403, "forbidden"
    sentence, remedy = "the worker has withdrawn the consent", "destroy what you hold and confirm it"


class ContentDestroyed(JourneyRefused):
    code, status, issue = "LOOP-DESTROYED", 410, "deleted"
    sentence, remedy = "the content was destroyed when its retention period ended", "see the digests and receipts"


class HoldRefused(JourneyRefused):
    code = "LOOP-HOLD"
    sentence, remedy = "there is no such case, or the hold stands as asked already", "see gateway retention plan"


class OverrideRefused(JourneyRefused):
    code, status, issue = "LOOP-OVERRIDE", 403, "business-rule"
    sentence, remedy = "this override of the priority rules is not allowed", "see the overrides of the rule set"


class PartnerStopped(JourneyRefused):
    code, status, issue, fault = "LOOP-STOPPED", 503, "transient", Fault.REC
    sentence, remedy = "nothing is taken from this partner for now", "keep the message, and send it again later"


class NoOfficer(JourneyRefused):
    code, status, issue = "LOOP-OFFICER", 400, "value"
    sentence, remedy = "this is no officer's id", "name the officer by an id like kim.0417 or ops-3, never by a name"


class GateRefused(JourneyRefused):
    code = "LOOP-GATE"
    sentence, remedy = "the line to this partner cannot be turned like this", "see `gateway partner list`"


class ReplayRefused(JourneyRefused):
    code = "LOOP-REPLAY"
    sentence, remedy = (
        "this replay is not allowed",
        "plan what `gateway dead list` shows; a second officer executes it, within a day, once",
    )


class ReviewRefused(JourneyRefused):
    code, status, issue = "LOOP-REVIEW", 403, "business-rule"
    sentence, remedy = "this month cannot be signed off like this", "see `gateway log review --month …`"


class RotationRefused(JourneyRefused):
    code = "LOOP-ROTATION"
    sentence, remedy = (
        "a new signing key cannot follow like this",
        "wait for the one before, and give partners time to fetch the new one",
    )


class SecretRefused(JourneyRefused):
    code = "LOOP-SECRET"
    sentence, remedy = "the vault's secret cannot be replaced now", "let who is at it end, and give the command again"


class ReconcileRefused(JourneyRefused):
    code = "LOOP-BOOKS"
    sentence, remedy = (
        "the books cannot be compared like this",
        "name a partner with an address and a day that has begun",
    )


class WorkRefused(JourneyRefused):
    code = "LOOP-WORK"
    sentence, remedy = "this work item cannot be ended by a word", "see `gateway work list`"


# ── delivery, by phase ───────────────────────────────────────────────────────────────────────────────────────────────
class DeliveryFailed(GatewayError):
    """Bringing a message across failed; the phase decides what happens next."""

    status, issue, fault = 502, "transient", Fault.REC


class AttemptFailed(DeliveryFailed):
    code = "DLV-ATTEMPT"
    sentence, remedy = "the partner could not be reached or did not answer", "it is tried again by schedule"


class PoisonMessage(DeliveryFailed):
    code, status, issue, fault = "E-POISON", 500, "exception", Fault.GATEWAY
    sentence = "whoever tried to deliver it died, several times in a row"
    remedy = "find out from the workers' logs why, and replay it"


# ── our own house ────────────────────────────────────────────────────────────────────────────────────────────────────
class GatewayFault(GatewayError):
    """Our own house: settings, storage, data files."""


class SettingsInvalid(GatewayFault):
    code = "GW-SETTINGS"
    sentence, remedy = "a setting is wrong", "see the table of settings in gateway/README.md"


class StoreUnavailable(GatewayFault):
    code, status, issue, fault = "GW-STORE", 503, "transient", Fault.REC
    sentence, remedy = "the database cannot be reached", "try again; check GATEWAY_DATABASE_URL"


class TooBusy(StoreUnavailable):
    code, status, issue, fault = "GW-BUSY", 503, "transient", Fault.REC
    sentence, remedy = "more is asked at this moment than is answered at once", "ask again later, and less at a time"


class StoreDamaged(GatewayFault):
    code, status, issue = "GW-DAMAGED", 500, "security"
    sentence = "what lies sealed in this column is not what was put there"
    remedy = "keep the database as it is, as evidence, and restore the row from a backup"


class NotFit(GatewayFault):
    code, status, issue = "GW-UNFIT", 503, "transient"
    sentence, remedy = "the gateway cannot work as things are", "put in order what is named, then start it again"


class FileUnusable(GatewayFault):
    code = "GW-FILE"
    sentence = "a file or folder that was named cannot be used"
    remedy = "name another one, or let the gateway read and write it"


class FolderUnusable(GatewayFault):
    code, status, issue = "GW-FOLDER", 503, "transient"
    sentence = "a file of COMWEL's folders cannot be read, written, moved or deleted"
    remedy = "let the gateway read and write GATEWAY_INBOX_DIR and home/to-comwel"


class SchemaTooOld(GatewayFault):
    code = "GW-OLD"
    sentence, remedy = "the database is older than this release", "run gateway migrate --phase pre with this release"


class SchemaTooNew(GatewayFault):
    code = "GW-NEW"
    sentence, remedy = "the database is newer than this release", "start the release that migrated it"


class OutOfScope(GatewayFault):
    code = "GW-SCOPE"
    sentence, remedy = "a row outside the scope of this unit of work was to be written", "report it: this is a bug"


class DataFileInvalid(GatewayFault):
    code = "GW-DATA"
    sentence, remedy = "a data file under schemas/ or mappings/ is wrong", "correct the named file"


class ClocksApart(GatewayFault):
    code, status, issue = "GW-CLOCK", 503, "transient"
    sentence = "this machine's clock and the database's are more than 5 s apart"
    remedy = "set them right (NTP); until then nothing is signed, sent or taken in here"


class NothingSigns(GatewayFault):
    code, status, issue = "GW-KEY", 503, "transient"
    sentence = "our signing key is not here, or not valid now"
    remedy = "bring its private half here, or see gateway/README.md, `Our signing key`"


class LogStopped(GatewayFault):
    code, issue = "GW-LOG", "security"
    sentence = "the exchange log does not continue what it has published"
    remedy = "do not force it: see gateway/exchange_log/README.md, `When the log stops`"


class Interfered(GatewayFault):
    code, status, issue, fault = "GW-RACE", 409, "conflict", Fault.REC
    sentence, remedy = "somebody else changed this row meanwhile", "read again and repeat"


# ── looking up ───────────────────────────────────────────────────────────────────────────────────────────────────────
def handover_refusal(code: str) -> type[HandoverRefused] | None:
    """The class of a hand-over code (`E-DATE`), for its sentence and remedy; None for a code that is not one."""
    return next((c for c in HandoverRefused.__subclasses__() if c.code == code), None)
