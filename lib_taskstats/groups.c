#include "groups.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int groups_open(struct groups *groups)
{
    groups->all = calloc(GROUPS, sizeof *groups->all);
    return groups->all ? 0 : -ENOMEM;
}

void groups_close(struct groups *groups)
{
    for (int number = 0; number < groups->count; number++)
        free(groups->all[number].path);
    free(groups->all);
    groups->all = NULL;
    groups->count = 0;
}

/* Whether `path` is `above` or lies below it. */
static int is_below(const char *path, size_t length, const struct group *above)
{
    return above->path && length >= above->length && !memcmp(path, above->path, above->length)
           && (length == above->length || path[above->length] == '/');
}

static int add(struct groups *groups, const char *path, size_t length)
{
    int number = 0;
    struct group *group;

    while (number < groups->count && groups->all[number].path)
        number++;
    if (number == GROUPS)
        return NOWHERE;
    group = &groups->all[number];
    *group = (struct group){.path = malloc(length + 1), .length = length, .job = NO_JOB};
    if (!group->path)
        return NOWHERE;
    memcpy(group->path, path, length);
    group->path[length] = 0;
    sums_clear(&group->ended);
    if (number == groups->count)
        groups->count++;
    return number;
}

int groups_at(struct groups *groups, const char *path, size_t length)
{
    int best = NOWHERE;

    for (int number = 0; number < groups->count; number++) {
        const struct group *group = &groups->all[number];

        if (is_below(path, length, group) && (group->followed || length == group->length)
            && (best == NOWHERE || group->length > groups->all[best].length))
            best = number;
    }
    return best == NOWHERE ? add(groups, path, length) : best;
}

int groups_follow(struct groups *groups, const char *path, int job)
{
    size_t length = strlen(path);
    int number = groups_at(groups, path, length);

    if (number != NOWHERE && groups->all[number].length != length)
        number = add(groups, path, length);
    if (number == NOWHERE)
        return -ENOSPC;
    groups->all[number].followed = 1;
    groups->all[number].job = job;
    for (int other = 0; other < groups->count; other++) {
        struct group *each = &groups->all[other];

        if (each->path && !each->followed && is_below(each->path, each->length, &groups->all[number]))
            each->job = job;
    }
    return number;
}

void groups_drop(struct groups *groups, int number)
{
    free(groups->all[number].path);
    groups->all[number] = (struct group){0};
}

const char *groups_path(const char *text, int hierarchy, size_t *length)
{
    while (*text) {
        const char *end = strchr(text, '\n'), *path;
        char *after;
        long number = strtol(text, &after, 10);

        if (!end)
            end = text + strlen(text);
        path = after >= end || *after != ':' ? NULL : memchr(after + 1, ':', end - after - 1);
        if (path && number == hierarchy) {
            *length = end - path - 1;
            return path + 1;
        }
        text = *end ? end + 1 : end;
    }
    return NULL;
}
