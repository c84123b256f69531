"""The generated names: they agree with the specification, with Linux, with each other, and are up to date."""

import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from pymodel import regs
from pymodel.regs import DescFlag, EventFlag, Feature, GsoType, Interrupt, NetHdr, NetStatus, Reg, Status

pytest.importorskip("systemrdl", reason="systemrdl-compiler is not installed (pip install -e .[dev])")

from tb import regsgen

HEADERS = Path("/usr/include/linux")

linux = pytest.mark.skipif(
    not (HEADERS / "virtio_mmio.h").is_file(), reason="no Linux headers (apt install linux-libc-dev)"
)


def macros(header: str) -> dict[str, int]:
    """The numeric macros of one of Linux's uapi headers."""
    found = {}
    pattern = r"#define\s+(\w+)\s+\(?(0x[0-9a-fA-F]+|\d+)(?:\s*<<\s*(\d+)\))?"
    for name, value, shift in re.findall(pattern, (HEADERS / header).read_text()):
        found[name] = int(value, 0) << int(shift or 0)
    return found


@linux
def test_register_offsets_are_those_of_linux() -> None:
    theirs = macros("virtio_mmio.h")
    # Linux keeps the names of the split ring.
    renamed = {"QUEUE_DRIVER": "QUEUE_AVAIL", "QUEUE_DEVICE": "QUEUE_USED"}
    checked = 0
    for register in Reg:
        name = register.name
        for ours, older in renamed.items():
            name = name.replace(ours, older)
        if register is not Reg.QUEUE_RESET:
            assert register == theirs[f"VIRTIO_MMIO_{name}"], register.name
            checked += 1
    assert checked == len(Reg) - 1
    assert Reg.QUEUE_RESET.value == 0xC0  # virtio 1.2 §4.2.2; Linux's header has no name for it
    assert theirs["VIRTIO_MMIO_CONFIG"] == regs.Config.MAC
    assert theirs["VIRTIO_MMIO_INT_VRING"] == Interrupt.USED_BUFFER
    assert theirs["VIRTIO_MMIO_INT_CONFIG"] == Interrupt.CONFIG_CHANGE


@linux
def test_status_and_feature_bits_are_those_of_linux() -> None:
    config, net = macros("virtio_config.h"), macros("virtio_net.h")
    ring = macros("virtio_ring.h")
    for status in Status:
        name = status.name.removeprefix("DEVICE_") if status.name else ""
        assert status == config[f"VIRTIO_CONFIG_S_{name}"], status
    unknown_to_old_headers = {
        Feature.NOTIFICATION_DATA: 38,
        Feature.RING_RESET: 40,
        Feature.INDIRECT_DESC: 28,
    }
    for feature in Feature:
        names = (f"VIRTIO_F_{feature.name}", f"VIRTIO_NET_F_{feature.name}", f"VIRTIO_RING_F_{feature.name}")
        theirs = [table[name] for table in (config, net, ring) for name in names if name in table]
        expected = theirs[0] if theirs else unknown_to_old_headers[feature]
        assert feature == expected, feature.name
    assert net["VIRTIO_NET_S_LINK_UP"] == NetStatus.LINK_UP
    assert net["VIRTIO_NET_S_ANNOUNCE"] == NetStatus.ANNOUNCE


@linux
def test_ring_and_header_flags_are_those_of_linux() -> None:
    ring, net = macros("virtio_ring.h"), macros("virtio_net.h")
    for flag in (DescFlag.NEXT, DescFlag.WRITE, DescFlag.INDIRECT):
        assert flag == ring[f"VRING_DESC_F_{flag.name}"]
    assert 1 << ring["VRING_PACKED_DESC_F_AVAIL"] == DescFlag.AVAIL
    assert 1 << ring["VRING_PACKED_DESC_F_USED"] == DescFlag.USED
    for event in EventFlag:
        assert event == ring[f"VRING_PACKED_EVENT_FLAG_{event.name}"]
    for bit in regs.NetHdrFlag:
        assert bit == net[f"VIRTIO_NET_HDR_F_{bit.name}"]
    for kind in GsoType:
        if kind is not GsoType.UDP_L4 or "VIRTIO_NET_HDR_GSO_UDP_L4" in net:
            assert kind == net[f"VIRTIO_NET_HDR_GSO_{kind.name}"]


def test_layouts_are_those_of_the_c_structures_in_the_specification() -> None:
    # virtio 1.2 §2.8.13: le64 addr, le32 len, le16 id, le16 flags; §2.8.14: le16 off_wrap, le16 flags;
    # §5.1.6: u8, u8, le16 × 5.
    assert [member.value for member in regs.Desc] == [0, 8, 12, 14] and regs.DESC_BYTES == 16
    assert [member.value for member in regs.Event] == [0, 2] and regs.EVENT_BYTES == 4
    assert [member.value for member in NetHdr] == [0, 1, 2, 4, 6, 8, 10] and regs.NET_HDR_BYTES == 12
    assert [member.value for member in regs.Config] == [0x100, 0x106, 0x108, 0x10A]


def test_features_offered_and_required_are_those_of_the_contract() -> None:
    assert {f.name for f in Feature if regs.FEATURES_OFFERED >> f & 1} == {
        "VERSION_1",
        "ACCESS_PLATFORM",
        "RING_PACKED",
        "ORDER_PLATFORM",
        "MAC",
        "STATUS",
        "MTU",
        "GUEST_CSUM",
        "MRG_RXBUF",
        "CSUM",
        "HOST_TSO4",
        "HOST_TSO6",
        "HOST_ECN",
        "INDIRECT_DESC",
        "EVENT_IDX",
        "RING_RESET",
    }
    assert regs.FEATURES_OFFERED == 0x117_3001_B82B
    assert regs.FEATURES_REQUIRED == 1 << 32 | 1 << 34


def test_features_that_need_another_are_those_of_the_specification() -> None:
    # virtio 1.2 §5.1.3.1, of those named in the description.
    assert regs.FEATURE_NEEDS == {
        Feature.HOST_TSO4: (Feature.CSUM,),
        Feature.HOST_TSO6: (Feature.CSUM,),
        Feature.HOST_ECN: (Feature.HOST_TSO4, Feature.HOST_TSO6),
    }


def test_registers_of_the_table_do_not_overlap_and_lie_in_the_window() -> None:
    end = 0
    for register in regs.REGISTERS:
        assert register.offset >= end, register.name
        assert register.offset % min(register.size, 4) == 0 or register.name == "Config.MAC"
        end = register.offset + register.size
    assert end <= 1 << 13
    named = {f"{e.__name__}.{m.name}": m.value for e in (Reg, regs.Config, regs.Side, regs.Stat) for m in e}
    assert {register.name: register.offset for register in regs.REGISTERS} == named


def test_verilog_macros_expand_to_the_numbers_of_the_python_enumerations(tmp_path: Path) -> None:
    if shutil.which("iverilog") is None:
        pytest.skip("Icarus Verilog is not installed (apt install iverilog)")
    expected = {f"FDW_REG_{m.name}": m.value for m in Reg}
    expected |= {f"FDW_STAT_{m.name}": m.value for m in regs.Stat}
    expected |= {f"FDW_STATUS_{m.name}": m.value for m in Status}
    expected |= {f"FDW_STATUS_{m.name}_BIT": m.value.bit_length() - 1 for m in Status}
    expected |= {f"FDW_FEATURE_{m.name}": m.value for m in Feature}
    expected |= {f"FDW_DESC_FLAG_{m.name}": m.value for m in DescFlag}
    expected |= {f"FDW_EVENT_FLAG_{m.name}": m.value for m in EventFlag}
    expected |= {f"FDW_RX_STATUS_{m.name}": m.value for m in regs.RxStatus}
    expected |= {"FDW_FEATURES_OFFERED": regs.FEATURES_OFFERED, "FDW_DESC_BYTES": regs.DESC_BYTES}
    shows = "\n".join(f'        $display("{name} %0d", `{name});' for name in expected)
    cuts = "\n".join(f'        $display("{m.name} %0h", whole[`FDW_DESC_{m.name}_RANGE]);' for m in regs.Desc)
    bench = tmp_path / "show.v"
    bench.write_text(
        '`include "fdwire_regs.vh"\n`include "fdwire_regs.vh"\nmodule show;\n'
        "    wire [127:0] whole = 128'h8081_1234_89abcdef_0123456789abcdef;\n"
        f"    initial #1 begin\n{shows}\n{cuts}\n    end\nendmodule\n"
    )
    output = tmp_path / "show"
    include = f"-I{regsgen.ROOT / 'rtl' / 'regs'}"
    subprocess.run(["iverilog", "-g2005", "-Wall", include, "-o", str(output), str(bench)], check=True)
    shown = subprocess.run(["vvp", "-n", str(output)], check=True, capture_output=True, text=True).stdout
    lines = dict(line.split() for line in shown.splitlines())
    assert [int(lines.pop(m.name), 16) for m in regs.Desc] == [0x0123456789ABCDEF, 0x89ABCDEF, 0x1234, 0x8081]
    assert {name: int(value) for name, value in lines.items()} == expected


def test_generated_files_are_what_the_description_says() -> None:
    result = subprocess.run(
        [sys.executable, "-m", "tb.regsgen", "--check"],
        cwd=regsgen.ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert result.returncode == 0, result.stderr


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project that holds the description and freshly generated files."""
    source = tmp_path / regsgen.SOURCE
    source.parent.mkdir(parents=True)
    shutil.copy(regsgen.ROOT / regsgen.SOURCE, source)
    assert regsgen.main(["--root", str(tmp_path)]) == 0
    return tmp_path


def test_generation_is_repeatable_byte_for_byte(project: Path) -> None:
    for name in regsgen.OUTPUTS:
        assert (project / name).read_bytes() == (regsgen.ROOT / name).read_bytes()


@pytest.mark.parametrize("name", regsgen.OUTPUTS)
def test_check_of_an_edited_file_exits_1_and_names_file_and_command(
    project: Path, name: str, capsys: pytest.CaptureFixture[str]
) -> None:
    path = project / name
    edited = path.read_text() + "\n"
    path.write_text(edited)
    capsys.readouterr()
    assert regsgen.main(["--check", "--root", str(project)]) == 1
    said = capsys.readouterr().err
    assert name in said and "python -m tb.regsgen" in said
    assert path.read_text() == edited, "--check writes nothing"
    assert regsgen.main(["--root", str(project)]) == 0
    assert regsgen.main(["--check", "--root", str(project)]) == 0


def test_check_of_a_missing_file_exits_1(project: Path) -> None:
    (project / "docs/registers.md").unlink()
    assert regsgen.main(["--check", "--root", str(project)]) == 1


def test_changed_description_shows_in_every_generated_file(project: Path) -> None:
    source = project / regsgen.SOURCE
    source.write_text(source.read_text().replace("counter64 TX_KICKS @ 0xa0;", "counter64 TX_KICKS @ 0xb8;"))
    assert regsgen.main(["--check", "--root", str(project)]) == 1
    assert regsgen.main(["--root", str(project)]) == 0
    assert "`define FDW_STAT_TX_KICKS 13'h11b8" in (project / "rtl/regs/fdwire_regs.vh").read_text()
    assert "TX_KICKS = 0x11B8" in (project / "pymodel/regs.py").read_text()
    assert "| 0x11b8 | 8 | TX_KICKS |" in (project / "docs/registers.md").read_text()


def test_illegal_description_exits_1_and_writes_nothing(project: Path) -> None:
    before = (project / "pymodel/regs.py").read_bytes()
    source = project / regsgen.SOURCE
    source.write_text(source.read_text().replace("counter64 TX_KICKS @ 0xa0;", "counter64 TX_KICKS @ 0x98;"))
    assert regsgen.main(["--root", str(project)]) == 1
    assert (project / "pymodel/regs.py").read_bytes() == before


def test_generated_python_is_clean_for_ruff() -> None:
    ruff = shutil.which("ruff", path=str(Path(sys.executable).parent))
    if ruff is None:
        pytest.skip("ruff is not installed (pip install -e .[dev])")
    text = (regsgen.ROOT / "pymodel/regs.py").read_text()
    for command in (["check"], ["format", "--check"]):
        result = subprocess.run(
            [ruff, *command, "--stdin-filename", "pymodel/generated.py", "-"],
            input=text,
            cwd=regsgen.ROOT,
            capture_output=True,
            text=True,
            check=False,
        )
        assert result.returncode == 0, result.stdout + result.stderr
