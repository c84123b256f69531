"""The golden NIC: the device side of the contract in docs/device.md, as a functional model.

`nic.GoldenNic` is a whole device with a plausible timing. Its functional core (`registers`, `ring`,
`tx`, `rx_place`, `mac`) knows no time; the lockstep checker drives the same core from the RTL's events.
Nothing here is shared with the driver.
"""
