import os
import stat


def channel_to_the_judge():
    """The descriptor of the socket over which the judge calls this program."""
    sockets = []
    for descriptor in range(3, 64):
        try:
            if stat.S_ISSOCK(os.fstat(descriptor).st_mode):
                sockets.append(descriptor)
        except OSError:
            pass
    return sockets[0]


def say_frame(body):
    """`body`, whole, as one frame of the channel."""
    data, at, channel = len(body).to_bytes(4, "big") + body, 0, channel_to_the_judge()
    while at < len(data):
        at += os.write(channel, data[at : at + 65536])
