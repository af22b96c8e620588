/* A stand-in for NVIDIA's libnvidia-ml.so.1 (nvml.h), whose GPUs are what the file named by NVML_STUB says, read again
 * whenever it is another:
 *
 *   driver 550.54.15                        without this line the driver is not loaded
 *   delay 100                               ms that opening a session takes
 *   gpu minor=0 uuid=GPU-1 sm=87 memory=12 power=123450 energy=5 temperature=61 hot=70 total=1 used=1 reserved=0 mig=1
 *   mig gpu=0 gi=1 ci=0 uuid=MIG-1 total=1 used=1
 *   process gpu=0 pid=7 memory=1 sm=3 time=5 gi=1 ci=0
 *   account gpu=0 pid=7 sm=50 peak=1 time=2000 start=5 running=0
 *
 * GPUs are numbered in the order of their lines. What a line does not say is not supported; error=15 is the answer to
 * all that is asked of a GPU, mode=1 turns its accounting on. With OLD it lacks what a driver of 2014 lacks.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

enum { OK, UNINITIALIZED, INVALID, NOT_SUPPORTED, NOT_FOUND = 6, TOO_SMALL = 7, NO_DRIVER = 9 };
enum { LINES = 8192, GPUS = 32, PLACES = 8 };
typedef unsigned int u32;
typedef unsigned long long u64;
typedef const char *device;     /* its line in the file's text */

static char *text;
static const char *lines[LINES];
static int count, sessions;
static struct stat read_as;

static int begins(const char *line, const char *word)
{
    return !strncmp(line, word, strlen(word)) && line[strlen(word)] == ' ';
}

/* Lines keep their addresses while the file's lines keep their order, so that a device stays one. */
static void load(void)
{
    const char *path = getenv("NVML_STUB");
    struct stat status;
    FILE *file = path ? fopen(path, "r") : NULL;

    if (!file || fstat(fileno(file), &status))
        abort();
    if (text && status.st_ino == read_as.st_ino && status.st_size == read_as.st_size &&
        status.st_mtim.tv_nsec == read_as.st_mtim.tv_nsec && status.st_mtim.tv_sec == read_as.st_mtim.tv_sec) {
        fclose(file);
        return;
    }
    read_as = status;
    free(text);
    text = calloc(1, (size_t)status.st_size + 1);
    if (!text || fread(text, 1, (size_t)status.st_size, file) != (size_t)status.st_size)
        abort();
    fclose(file);
    count = 0;
    for (char *line = strtok(text, "\n"); line && count < LINES; line = strtok(NULL, "\n"))
        lines[count++] = line;
}

static int number(const char *line, const char *name, u64 *value)
{
    char key[32];
    const char *found;

    snprintf(key, sizeof key, " %s=", name);
    found = strstr(line, key);
    if (found)
        *value = strtoull(found + strlen(key), NULL, 10);
    return found ? OK : NOT_SUPPORTED;
}

static int is(const char *line, const char *name, u64 wanted)
{
    u64 value = 0;
    return !number(line, name, &value) && value == wanted;
}

static int number32(const char *line, const char *name, u32 *value)
{
    u64 found = 0;
    int code = number(line, name, &found);
    if (!code)
        *value = (u32)found;
    return code;
}

static int word(const char *line, const char *name, char *into, u32 room)
{
    char key[32];
    const char *found;

    snprintf(key, sizeof key, " %s=", name);
    found = strstr(line, key);
    if (!found)
        return NOT_SUPPORTED;
    found += strlen(key);
    snprintf(into, room, "%.*s", (int)strcspn(found, " "), found);
    return OK;
}

static const char *driver(void)
{
    load();
    for (int place = 0; place < count; place++)
        if (begins(lines[place], "driver"))
            return lines[place];
    return NULL;
}

/* The line of the GPU number `wanted`. */
static const char *gpu(u32 wanted)
{
    for (int place = 0; place < count; place++)
        if (begins(lines[place], "gpu") && wanted-- == 0)
            return lines[place];
    return NULL;
}

/* A handle is 1 + 8 x GPU, or with an instance 1 + 8 x GPU + 1 + its place. `*instance` is NULL for a GPU. */
static const char *instance_of(u64 handle, u32 place)
{
    for (int line = 0; line < count; line++)
        if (begins(lines[line], "mig") && is(lines[line], "gpu", handle / PLACES) && place-- == 0)
            return lines[line];
    return NULL;
}

static int find(u64 handle, const char **card, const char **line)
{
    u64 error = OK;

    if (!sessions)
        return UNINITIALIZED;
    if (!driver())
        return NO_DRIVER;
    handle -= 1;
    *card = *line = gpu((u32)(handle / PLACES));
    if (*card && handle % PLACES)
        *line = instance_of(handle, (u32)(handle % PLACES) - 1);
    if (!*card || !*line)
        return INVALID;
    number(*card, "error", &error);
    return (int)error;
}

#define FIND const char *card, *line; int code = find((u64)handle, &card, &line); if (code) return code; (void)card
#define CARD FIND; if (card != line) return NOT_SUPPORTED

int nvmlInit_v2(void)
{
    load();
    for (int place = 0; place < count; place++)
        if (begins(lines[place], "delay"))
            usleep((useconds_t)atoi(lines[place] + 6) * 1000);
    if (!driver())
        return NO_DRIVER;
    sessions++;
    return OK;
}

int nvmlShutdown(void)
{
    if (!sessions)
        return UNINITIALIZED;
    sessions--;
    return OK;
}

int nvmlSystemGetDriverVersion(char *into, u32 room)
{
    const char *line = driver();
    return line ? snprintf(into, room, "%s", line + 7), OK : NO_DRIVER;
}

int nvmlDeviceGetCount_v2(u32 *number)
{
    if (!sessions)
        return UNINITIALIZED;
    if (!driver())
        return NO_DRIVER;
    for (*number = 0; gpu(*number); (*number)++)
        ;
    return OK;
}


int nvmlDeviceGetHandleByIndex_v2(u32 index, u64 *found)
{
    u64 handle = 1 + index * PLACES;
    FIND;
    *found = handle;
    return OK;
}

int nvmlDeviceGetUUID(u64 handle, char *into, u32 room) { FIND; return word(line, "uuid", into, room); }
int nvmlDeviceGetMinorNumber(u64 handle, u32 *into) { CARD; return number32(line, "minor", into); }
int nvmlDeviceGetPowerUsage(u64 handle, u32 *into) { CARD; return number32(line, "power", into); }

int nvmlDeviceGetTemperature(u64 handle, u32 sensor, u32 *into)
{
    CARD;
    return sensor ? INVALID : number32(line, "temperature", into);
}

int nvmlDeviceGetUtilizationRates(u64 handle, u32 *into)
{
    CARD;
    code = number32(line, "sm", into);
    return code ? code : number32(line, "memory", into + 1);
}

int nvmlDeviceGetMemoryInfo(u64 handle, u64 *into)
{
    u64 reserved = 0;
    FIND;
    if (number(line, "total", into) || number(line, "used", into + 2))
        return NOT_SUPPORTED;
    number(line, "reserved", &reserved);
    into[2] += reserved;
    into[1] = into[0] - into[2];
    return OK;
}

/* Those whose lines say "process" of the device: into `cells` of `size` bytes, {pid, memory, gi, ci}. */
static int processes(u64 handle, u32 *room, char *cells, size_t size)
{
    u32 found = 0, most = *room;
    FIND;
    for (int place = 0; place < count; place++) {
        const char *each = lines[place];
        u64 gi = 0, ci = 0, memory = ~0ull;
        u32 pid = 0;
        if (!begins(each, "process") || !is(each, "gpu", (handle - 1) / PLACES))
            continue;
        if (card != line && (number(line, "gi", &gi) || number(line, "ci", &ci) || !is(each, "gi", gi) ||
                             !is(each, "ci", ci)))
            continue;
        number32(each, "pid", &pid);
        number(each, "memory", &memory);
        if (found < most) {
            memset(cells + found * size, 0xff, size);
            memcpy(cells + found * size, &pid, sizeof pid);
            memcpy(cells + found * size + 8, &memory, sizeof memory);
        }
        found++;
    }
    *room = found;
    return found > most ? TOO_SMALL : OK;
}

int nvmlDeviceGetComputeRunningProcesses(u64 handle, u32 *room, char *cells)
{
    return processes(handle, room, cells, 16);
}

#ifndef OLD
#include "nvml_stub_new.c"
#endif
