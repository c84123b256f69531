"""IPv4: routing table, neighbours (ARP), input and output, ICMP."""
