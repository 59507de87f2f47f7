"""Our receipts, asked for again: by partner and id, and by nobody's id alone."""

from __future__ import annotations

from pathlib import Path

from fastapi.testclient import TestClient

from adapters.partners.pretend.scripts import Kind
from gateway.api.app import build_app
from gateway.assembly import assemble
from gateway.config import Settings
from tests.journey.world import a_case, knowledge, letter, make_scene


def test_a_receipt_and_its_proof_are_found_by_partner_and_id_and_under_nobody_elses_name(
    tmp_path: Path, database: str
) -> None:
    settings = Settings(home=tmp_path / "home", database_url=database)
    with assemble(settings, knowledge=knowledge()) as gateway, TestClient(build_app(gateway)) as door:
        scene = make_scene(gateway.store, tmp_path)
        one = letter(scene.referred(a_case())["KEIS"], Kind.ACCEPT, 1)
        gateway.log.round()
        given = scene.hear(one).receipt
        gateway.log.round()
        for name, status in (("keis", 200), ("KEIS", 200), ("kead", 404), ("nobody", 404), ("%00", 404)):
            receipt = door.get(f"/partners/{name}/v1/messages/{one.mid}/receipt")
            proof = door.get(f"/partners/{name}/v1/messages/{one.mid}/receipt.tlog-proof")
            assert (receipt.status_code, proof.status_code) == (status, status)
            assert status == 404 or receipt.json() == {"receipt": given}
        assert door.get(f"/v1/messages/{one.mid}/receipt").status_code == 404
