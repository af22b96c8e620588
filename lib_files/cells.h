/* What the parts of this helper share. */
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define MISSING INT64_MIN               /* not known */

struct files;

/* Reads all of `fd`, from its start, into memory of `files`, to which `text` is set, good until the next call. Returns
 * its length or -errno. */
ssize_t files_text(struct files *files, int fd, const char **text);

/* The same; -ENODEV where the file was removed. sysfs says so itself. */
ssize_t files_text_there(struct files *files, int fd, const char **text);
