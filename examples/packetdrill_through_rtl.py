"""A packetdrill script, whose packets go through the Verilog NIC: the handshake, and four segments back."""

import subprocess
import sys
from pathlib import Path

SCRIPT = Path(__file__).with_suffix(".pkt")


def main() -> None:
    print(SCRIPT.read_text())
    for nic in ("golden", "rtl"):
        print(f"fdwire packetdrill --nic {nic} {SCRIPT.name}")
        command = [sys.executable, "-m", "tb.cli", "packetdrill", "--nic", nic, str(SCRIPT)]
        subprocess.run(command, check=True)


if __name__ == "__main__":
    main()
