/* Cells that hold anything: whose they are and what rows they make, under the sanitizers. No kernel in it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "held.h"
#include "internal.h"
#include "processes.h"

#define PLACES 64

static void fill(void *memory, size_t size)
{
    unsigned char *bytes = memory;

    for (size_t i = 0; i < size; i++)
        bytes[i] = rand() % 4 ? rand() : 0;
}

/* Parents are anywhere, in circles too; some cells are owned. */
static void damage(struct account *self)
{
    memset(self->owners, 0, sizeof self->owners);
    for (uint32_t place = 0; place < PLACES; place++) {
        struct cell *cell = &self->cells[place];

        cell->id = rand() % 8;
        cell->parent = rand() % 16 ? (uint32_t)(rand() % PLACES) : (uint32_t)rand() * 2u;
        cell->kind = rand() % 4;
        if (rand() % 8 == 0)
            self->owners[place] = (struct owner){rand() % 8, rand() % 5 - 1};
    }
}

int main(int count, char **arguments)
{
    int rounds = count > 1 ? atoi(arguments[1]) : 100000;
    static struct account self;
    struct state state = {.used = GROUPS * 2};
    int64_t live[ACCOUNT_LIVE_CELLS], total[ACCOUNT_TOTAL_CELLS], before[ACCOUNT_TOTAL_CELLS];
    int64_t processes[PROCESSES_CELLS];
    struct sums sums = {0};
    struct held held;

    srand(count > 2 ? atoi(arguments[2]) : 1);
    self.cells = calloc(GROUPS, sizeof *self.cells);
    self.state = &state;
    if (!self.cells || used(&self) != GROUPS)
        return 1;
    for (int round = 0; round < rounds; round++) {
        struct moment now = {rand(), rand() * 1000000000ull, 1u << (12 + rand() % 5)};

        if (round % 16 == 0)
            damage(&self);
        if (owner_of(&self, rand() % PLACES) > 3)
            return 1;
        fill(sums.live, sizeof sums.live);
        fill(sums.ended, sizeof sums.ended);
        memcpy(before, sums.last, sizeof before);
        live_row(&sums, live, &now);
        total_row(&sums, total, &now);
        for (int cell = 3; cell < ACCOUNT_TOTAL_CELLS; cell++)      /* the first three are no counters */
            if (total[cell] < before[cell] || total[cell] < 0)
                return 1;
        fill(&held, sizeof held);
        process_row(&held, processes, now.page);
        if (processes[0] != -1 && (held.torn || processes[0] < 0))
            return 1;
        for (int cell = 1; cell < PROCESSES_CELLS; cell++)
            if (processes[cell] < 0)
                return 1;
    }
    free(self.cells);
    printf("fuzz: %d damaged sets of cells\n", rounds);
    return 0;
}
