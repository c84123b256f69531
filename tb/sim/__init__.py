"""The main job: files over HTTP, from one host's file descriptors through the RTL NIC to another host."""
