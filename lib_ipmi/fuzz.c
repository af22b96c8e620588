/* Asks a device that answers with too much, too little, another's answers, errors or nothing, under sanitizers; the
 * linker puts it in the place of ioctl and poll (-Wl,--wrap).
 * fuzz [ROUNDS [SEED]]: prints one line; exit code 1 when what was returned does not follow the answer. */
#include <errno.h>
#include <linux/ipmi.h>
#include <poll.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include "ipmi.h"

enum { DEVICE = 77, MOST = 40 };

int __wrap_ioctl(int fd, unsigned long request, void *argument);
int __wrap_poll(struct pollfd *fds, unsigned long count, int timeout);

static uint64_t state;
static long asked;              /* the number of the request that waits for its answer */
static int expected;            /* what ipmi_ask has to return, once the device gave that */

static uint32_t next_random(uint32_t below)
{
    state = state * 6364136223846793005u + 1442695040888963407u;
    return (state >> 33) % below;
}

static int fail(int code)
{
    errno = code;
    return -1;
}

static int answer(struct ipmi_recv *message)
{
    static const int codes[] = {EAGAIN, EINTR, EMSGSIZE, EIO};
    uint32_t size = message->msg.data_len, kind = next_random(8), length = next_random(size + 1);

    if (kind < 4) {
        expected = -codes[kind];
        return fail(codes[kind]);
    }
    memset(message->msg.data, (int)next_random(256), length);
    message->msg.data_len = kind == 4 ? size + 1 + next_random(100) : length;
    message->recv_type = kind == 5 ? IPMI_ASYNC_EVENT_RECV_TYPE : IPMI_RESPONSE_RECV_TYPE;
    message->msgid = kind == 6 ? asked + 1 : asked;
    expected = kind == 4 ? -EMSGSIZE : kind == 7 ? (int)length : -EAGAIN;
    return 0;
}

int __wrap_ioctl(int fd, unsigned long request, void *argument)
{
    static const int codes[] = {ENODEV, EINVAL, ENOMEM};
    uint32_t kind = next_random(10);

    if (fd != DEVICE)
        abort();
    if (request == IPMICTL_RECEIVE_MSG_TRUNC)
        return answer(argument);
    asked = ((struct ipmi_req *)argument)->msgid;
    if (kind < 3) {
        expected = -codes[kind];
        return fail(codes[kind]);
    }
    return 0;
}

int __wrap_poll(struct pollfd *fds, unsigned long count, int timeout)
{
    uint32_t kind = next_random(8);

    if (count != 1 || timeout < 0)
        abort();
    fds->revents = kind == 0 ? POLLHUP : POLLIN;
    if (kind == 0)
        expected = -EIO;
    if (kind == 1)
        expected = -ETIMEDOUT;
    return kind == 1 ? 0 : kind == 2 ? fail(EINTR) : 1;
}

int main(int argc, char **argv)
{
    long rounds = argc > 1 ? strtol(argv[1], NULL, 10) : 200000;

    state = argc > 2 ? strtoul(argv[2], NULL, 10) : 1;
    for (long round = 0; round < rounds; round++) {
        int size = (int)next_random(MOST + 1), length = (int)next_random(MOST);
        uint8_t *out = malloc((size_t)size + 1), data[MOST] = {0};
        int got = ipmi_ask(DEVICE, (int32_t)next_random(INT32_MAX), 0x2c, 2, data, length, 1000, out, size);

        free(out);
        if (got != expected || got > size) {
            printf("fuzz: wrong, at %ld: %d for %d\n", round, got, expected);
            return 1;
        }
    }
    if (ipmi_open("/dev/null/absent") != -ENOTDIR || ipmi_ask(DEVICE, 1, 0, 0, NULL, -1, 0, NULL, 0) != -EINVAL)
        return 1;
    printf("fuzz: %ld damaged answers\n", rounds);
    return 0;
}
