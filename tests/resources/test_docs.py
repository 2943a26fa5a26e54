"""The interactive page: reachable without a key, self-contained, and honest when its assets are not there."""

import re

from tests.callers import Caller, error_of


class TestPage:
    def test_it_is_open_to_everybody(self, anonymous: Caller) -> None:
        response = anonymous.get("/docs")
        assert response.status_code == 200
        assert response.mimetype == "text/html"
        assert "Loci API" in response.text

    def test_it_loads_nothing_from_elsewhere(self, anonymous: Caller) -> None:
        response = anonymous.get("/docs")
        loaded = re.findall(r'(?:src|href)="([^"]+)"', response.text)
        assert loaded
        assert all(url.startswith(("/docs/", "/openapi.json")) for url in loaded)
        assert "default-src 'self'" in response.headers["Content-Security-Policy"]

    def test_its_script_asks_for_our_document(self, anonymous: Caller) -> None:
        assert '"/openapi.json"' in anonymous.get("/docs/start.js").text
        assert anonymous.get("/openapi.json").get_json()["info"]["title"] == "Loci"


class TestAssets:
    def test_a_path_out_of_the_folder_is_not_followed(self, anonymous: Caller) -> None:
        error_of(anonymous.get("/docs/../../credentials.json"), 404)
        error_of(anonymous.get("/docs/%2e%2e/%2e%2e/secrets/key-pepper"), 404)

    def test_an_asset_that_is_not_there_is_a_404(self, anonymous: Caller) -> None:
        error_of(anonymous.get("/docs/nothing.js"), 404)
