"""The plugin's cluster of real processes, and the plugin on several test workers."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

pytest_plugins = ["pytester"]
pytestmark = pytest.mark.cluster


@pytest.fixture
def bare(pytester: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> pytest.Pytester:
    monkeypatch.setenv("PYTEST_DISABLE_PLUGIN_AUTOLOAD", "1")
    return pytester


def test_processes_serve_a_test_and_are_gone_when_it_fails(bare: pytest.Pytester) -> None:
    bare.makepyfile(
        """
        from apps.kv import KV
        from psmr import connect_blocking

        def test_it(psmr_processes):
            cluster = psmr_processes(KV, replicas=1, workers=1)
            with connect_blocking(KV, cluster.addresses) as client:
                assert client.put(b"key", b"value")
            assert False, f"process {cluster.process(1).pid} in {cluster.folder}"

        def test_bad(psmr_processes):
            psmr_processes("kv")
        """
    )
    result = bare.runpytest_subprocess("-p", "psmr.testing.plugin", "-p", "no:cacheprovider")
    result.assert_outcomes(failed=2)
    ((process, folder),) = re.findall(r"^E +AssertionError: process (\d+) in (\S+)$", result.stdout.str(), re.MULTILINE)
    assert not Path(f"/proc/{process}").exists()
    assert not Path(folder).exists()
    assert "expected a service, a class based on psmr.StateMachine, found 'kv'" in result.stdout.str()


@pytest.mark.slow
@pytest.mark.long
def test_test_workers_share_a_drawn_seed(bare: pytest.Pytester) -> None:
    bare.makepyfile(
        """
        import pytest
        from apps.kv import KV

        @pytest.mark.parametrize("number", range(4))
        def test_it(psmr_cluster, number):
            cluster = psmr_cluster(KV)
            cluster.run(10)
            assert False, f"course {cluster.digest}"
        """
    )
    options = ("-p", "psmr.testing.plugin", "-p", "xdist", "-p", "no:cacheprovider", "-n", "2", "--psmr-seed=random")
    said = bare.runpytest_subprocess(*options).stdout.str()
    assert len(set(re.findall(r"AssertionError: course (\w+)", said))) == 1
    assert len(set(re.findall(r"--psmr-seed=(\d+)\)", said))) == 1
