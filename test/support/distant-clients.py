"""DNS clients behind an interface that leads nowhere: their queries come in and their replies go out as on a wire.

Run in a network namespace with the veth pair eth9 and eth8, where the server has eth9's 10.99.0.1. For each group of
clients on stdin, as JSON with `address`, `port`, `count` and `query` in hexadecimal, sends the query so many times,
with IDs from 0 on, each group in its turn, and prints `sent`. Then prints the IDs of the replies to the last group's
address, in the order in which they came, once there are as many as queries.
"""
import json
import socket
import struct
import sys

ETH_P_IP = 0x0800
SERVER, PORT = socket.inet_aton("10.99.0.1"), 5353


def open_wire(name):
    wire = socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(ETH_P_IP))
    wire.bind((name, 0))
    return wire


def checksum(data):
    total = sum(struct.unpack(f"!{len(data) // 2}H", data))
    while total > 0xFFFF:
        total = (total & 0xFFFF) + (total >> 16)
    return total ^ 0xFFFF


def frame(group, number):
    message = struct.pack("!H", number) + bytes.fromhex(group["query"])[2:]
    udp = struct.pack("!HHHH", group["port"], PORT, 8 + len(message), 0) + message
    head = struct.pack("!BBHHHBB", 0x45, 0, 20 + len(udp), 0, 0, 64, socket.IPPROTO_UDP)
    ends = socket.inet_aton(group["address"]) + SERVER
    head += struct.pack("!H", checksum(head + b"\0\0" + ends)) + ends
    return server_mac + own_mac + struct.pack("!H", ETH_P_IP) + head + udp


groups = json.load(sys.stdin)
wire = open_wire("eth8")
own_mac = wire.getsockname()[4]
with open_wire("eth9") as server_wire:
    server_mac = server_wire.getsockname()[4]
for number in range(max(group["count"] for group in groups)):
    for group in groups:
        if number < group["count"]:
            wire.send(frame(group, number))

print("sent", flush=True)

last = groups[-1]
wanted = socket.inet_aton(last["address"])
replies = []
while len(replies) < last["count"]:
    packet = wire.recv(65535)[14:]
    if packet[12:16] == SERVER and packet[16:20] == wanted:
        replies.append(struct.unpack("!H", packet[28:30])[0])
print(json.dumps(replies))
