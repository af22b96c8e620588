/* Requests to the management controller (BMC) of this machine by the kernel's IPMI device, /dev/ipmi0 and its like
 * (driver-api/ipmi.rst of the kernel's documentation). What is asked and answered is the caller's business: IPMI
 * specification 2.0, chapter 5; an answer begins with its completion code.
 */

/* Opens the device `path`. Returns a descriptor, or -errno: -ENOENT where there is none, -EACCES without the right. */
int ipmi_open(const char *path);

/* Sends the `length` bytes of `data` as `command` of the network function `netfn`, numbered `number`, and waits up to
 * `timeout` ms for the answer of that number; others, which come too late for theirs, are thrown away. Returns the
 * bytes of the answer, at most `size`, or -errno: -ETIMEDOUT without an answer, -EMSGSIZE when it is longer. No two
 * threads may ask by one descriptor at a time. */
int ipmi_ask(int fd, int32_t number, uint8_t netfn, uint8_t command, const uint8_t *data, int length, int timeout,
             uint8_t *answer, int size);
