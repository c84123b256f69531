"""The device's side of vhost-user (QEMU's docs/interop/vhost-user.rst): somebody else's driver on our NIC."""
