/* Messages of generic netlink (Documentation/userspace-api/netlink/intro.rst), as bytes: no socket here.
 * Every length that a message states is checked against the bytes that were received. */
#ifndef COLMET_NETLINK_H
#define COLMET_NETLINK_H

#include <stddef.h>
#include <stdint.h>

#define REQUEST_MAX 64          /* bytes of the longest request made here */

/* Writes a request with one attribute into `message`. Returns its length, at most REQUEST_MAX if
 * `size` is at most 32. */
size_t netlink_request(uint8_t *message, uint16_t family, uint8_t command, uint32_t sequence,
                       uint16_t attribute, const void *value, uint16_t size);

/* Finds the attributes of the reply to request `sequence`.
 * Returns 0; the error that the reply holds; -EAGAIN: the reply to another request; -EBADMSG. */
int netlink_reply(const uint8_t *message, size_t length, uint32_t sequence,
                  const uint8_t **attributes, size_t *size);

/* The same of a message that nobody asked for. */
int netlink_event(const uint8_t *message, size_t length, const uint8_t **attributes, size_t *size);

/* Finds an attribute by type. Returns its payload and sets `size`; NULL where there is none. */
const uint8_t *netlink_attribute(const uint8_t *attributes, size_t length, uint16_t type, size_t *size);

#endif
