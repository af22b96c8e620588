#include "netlink.h"

#include <errno.h>
#include <linux/genetlink.h>
#include <linux/netlink.h>
#include <string.h>

#define MAX_ERRNO 4095

size_t netlink_request(uint8_t *message, uint16_t family, uint8_t command, uint32_t sequence,
                       uint16_t attribute, const void *value, uint16_t size)
{
    struct genlmsghdr generic = {.cmd = command, .version = 1};
    struct nlattr head = {.nla_len = NLA_HDRLEN + size, .nla_type = attribute};
    size_t length = NLMSG_HDRLEN + GENL_HDRLEN + NLA_HDRLEN + NLA_ALIGN(size);
    struct nlmsghdr header = {.nlmsg_len = length, .nlmsg_type = family, .nlmsg_flags = NLM_F_REQUEST,
                              .nlmsg_seq = sequence};

    memset(message, 0, length);
    memcpy(message, &header, sizeof header);
    memcpy(message + NLMSG_HDRLEN, &generic, sizeof generic);
    memcpy(message + NLMSG_HDRLEN + GENL_HDRLEN, &head, sizeof head);
    memcpy(message + NLMSG_HDRLEN + GENL_HDRLEN + NLA_HDRLEN, value, size);
    return length;
}

/* Returns 0 or -EBADMSG. */
static int head_of(const uint8_t *message, size_t length, struct nlmsghdr *header)
{
    if (length < sizeof *header)
        return -EBADMSG;
    memcpy(header, message, sizeof *header);
    return header->nlmsg_len < NLMSG_HDRLEN || header->nlmsg_len > length ? -EBADMSG : 0;
}

int netlink_event(const uint8_t *message, size_t length, const uint8_t **attributes, size_t *size)
{
    struct nlmsghdr header;
    int32_t error;

    if (head_of(message, length, &header))
        return -EBADMSG;
    if (header.nlmsg_type == NLMSG_ERROR) {
        if (header.nlmsg_len < NLMSG_HDRLEN + sizeof error)
            return -EBADMSG;
        memcpy(&error, message + NLMSG_HDRLEN, sizeof error);
        return error < 0 && error >= -MAX_ERRNO ? error : -EBADMSG;
    }
    if (header.nlmsg_len < NLMSG_HDRLEN + GENL_HDRLEN)
        return -EBADMSG;
    *attributes = message + NLMSG_HDRLEN + GENL_HDRLEN;
    *size = header.nlmsg_len - NLMSG_HDRLEN - GENL_HDRLEN;
    return 0;
}

int netlink_reply(const uint8_t *message, size_t length, uint32_t sequence,
                  const uint8_t **attributes, size_t *size)
{
    struct nlmsghdr header;

    if (head_of(message, length, &header))
        return -EBADMSG;
    return header.nlmsg_seq != sequence ? -EAGAIN : netlink_event(message, length, attributes, size);
}

const uint8_t *netlink_attribute(const uint8_t *attributes, size_t length, uint16_t type, size_t *size)
{
    struct nlattr head;

    while (length >= sizeof head) {
        memcpy(&head, attributes, sizeof head);
        if (head.nla_len < NLA_HDRLEN || head.nla_len > length)
            return NULL;
        if ((head.nla_type & NLA_TYPE_MASK) == type) {
            *size = head.nla_len - NLA_HDRLEN;
            return attributes + NLA_HDRLEN;
        }
        if ((size_t)NLA_ALIGN(head.nla_len) >= length)
            return NULL;
        attributes += NLA_ALIGN(head.nla_len);
        length -= NLA_ALIGN(head.nla_len);
    }
    return NULL;
}
