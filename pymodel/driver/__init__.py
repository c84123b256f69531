"""The virtio-net driver: `VirtioNetDevice` between a `DevicePort` (seam 1) and the stack's `NetDevice`.

``probe`` initialises, ``packed_ring`` is the driver's side of a virtqueue, ``tx`` and ``rx`` turn skbs into
chains and back, ``virtio_net`` joins them: interrupts, polling, link state, recovery.
"""

from pymodel.driver.errors import ProbeError, RingError, RingFull, VirtioError
from pymodel.driver.virtio_net import DriverStats, VirtioNetDevice

__all__ = ["DriverStats", "ProbeError", "RingError", "RingFull", "VirtioError", "VirtioNetDevice"]
