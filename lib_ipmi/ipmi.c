#include <errno.h>
#include <fcntl.h>
#include <linux/ipmi.h>
#include <poll.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <time.h>

#include "ipmi.h"

enum { MS_OF_SECOND = 1000, NS_OF_MS = 1000000 };

int ipmi_open(const char *path)
{
    int fd = open(path, O_RDWR | O_CLOEXEC);

    return fd < 0 ? -errno : fd;
}

static int64_t now(void)
{
    struct timespec time;

    clock_gettime(CLOCK_MONOTONIC, &time);
    return (int64_t)time.tv_sec * MS_OF_SECOND + time.tv_nsec / NS_OF_MS;
}

/* Waits until the device has something to tell. Returns 0 or -errno; -ETIMEDOUT at `end` (ms). */
static int await(int fd, int64_t end)
{
    struct pollfd device = {.fd = fd, .events = POLLIN};
    int64_t left;
    int ready;

    do {
        left = end - now();
        if (left <= 0)
            return -ETIMEDOUT;
        ready = poll(&device, 1, (int)left);
    } while (ready < 0 && errno == EINTR);
    if (ready < 0)
        return -errno;
    if (ready == 0)
        return -ETIMEDOUT;
    return device.revents & POLLIN ? 0 : -EIO;
}

/* Takes the next message from the device. Returns the bytes of `answer`, -EAGAIN where it is another's, or -errno. */
static int take(int fd, int32_t number, uint8_t *answer, int size)
{
    struct ipmi_addr address;
    struct ipmi_recv message = {.addr = (unsigned char *)&address, .addr_len = sizeof address,
                                .msg = {.data = answer, .data_len = (unsigned short)size}};

    if (ioctl(fd, IPMICTL_RECEIVE_MSG_TRUNC, &message) < 0)
        return errno == EINTR ? -EAGAIN : -errno;
    if (message.recv_type != IPMI_RESPONSE_RECV_TYPE || message.msgid != number)
        return -EAGAIN;
    return message.msg.data_len > size ? -EMSGSIZE : message.msg.data_len;
}

int ipmi_ask(int fd, int32_t number, uint8_t netfn, uint8_t command, const uint8_t *data, int length, int timeout,
             uint8_t *answer, int size)
{
    struct ipmi_system_interface_addr address = {.addr_type = IPMI_SYSTEM_INTERFACE_ADDR_TYPE,
                                                 .channel = IPMI_BMC_CHANNEL};
    struct ipmi_req request = {.addr = (unsigned char *)&address, .addr_len = sizeof address, .msgid = number,
                               .msg = {.netfn = netfn, .cmd = command, .data_len = (unsigned short)length,
                                       .data = (unsigned char *)data}};
    int64_t end = now() + timeout;
    int got;

    if (length < 0 || length > UINT16_MAX || size < 0 || size > UINT16_MAX)
        return -EINVAL;
    if (ioctl(fd, IPMICTL_SEND_COMMAND, &request) < 0)
        return -errno;
    do {
        got = await(fd, end);
        if (got == 0)
            got = take(fd, number, answer, size);
    } while (got == -EAGAIN);
    return got;
}
