/* The part of nvml_stub.c that drivers got later; it is included there. */
struct memory2 { u32 version; u64 total, reserved, free, used; };
struct sample { u32 pid; u64 time; u32 sm, memory, encoder, decoder; };
struct account { u32 gpu, memory; u64 peak, time, start; u32 running, reserved[5]; };
struct field { u32 id, scope; long long time, latency; u32 type; int code; union { u64 q; u32 u; } value; };

int nvmlDeviceGetMemoryInfo_v2(u64 handle, struct memory2 *into)
{
    u64 old[3];
    int answer;

    if (into->version != (2u << 24 | sizeof *into))
        return 25;
    answer = nvmlDeviceGetMemoryInfo(handle, old);
    if (answer)
        return answer;
    FIND;
    into->reserved = 0;
    number(line, "reserved", &into->reserved);
    into->total = old[0];
    into->free = old[1];
    into->used = old[2] - into->reserved;
    return OK;
}

int nvmlDeviceGetTotalEnergyConsumption(u64 handle, u64 *into) { CARD; return number(line, "energy", into); }
int nvmlDeviceGetMaxMigDeviceCount(u64 handle, u32 *into) { CARD; *into = PLACES - 1; return OK; }
int nvmlDeviceGetGpuInstanceId(u64 handle, u32 *into) { FIND; return number32(line, "gi", into); }
int nvmlDeviceGetComputeInstanceId(u64 handle, u32 *into) { FIND; return number32(line, "ci", into); }
int nvmlDeviceGetAccountingMode(u64 handle, u32 *into) { CARD; return number32(line, "mode", into); }

int nvmlDeviceGetMigMode(u64 handle, u32 *now, u32 *later)
{
    CARD;
    *later = 0;
    return number32(line, "mig", now);
}

int nvmlDeviceGetMigDeviceHandleByIndex(u64 handle, u32 index, u64 *found)
{
    CARD;
    if (index % 2)      /* places have gaps */
        return NOT_FOUND;
    if (!instance_of(handle - 1, index / 2))
        return NOT_FOUND;
    *found = handle + 1 + index / 2;
    return OK;
}

int nvmlDeviceGetFieldValues(u64 handle, int many, struct field *fields)
{
    CARD;
    for (int place = 0; place < many; place++) {
        fields[place].code = NOT_SUPPORTED;
        if (fields[place].id == 82)
            fields[place].code = number32(line, "hot", &fields[place].value.u);
    }
    return OK;
}

int nvmlDeviceGetComputeRunningProcesses_v3(u64 handle, u32 *room, char *cells)
{
    return processes(handle, room, cells, 24);
}


int nvmlDeviceGetProcessUtilization(u64 handle, struct sample *into, u32 *room, u64 since)
{
    u32 found = 0, most = *room;
    u64 mig = 0;
    CARD;
    number(line, "mig", &mig);
    if (mig)
        return NOT_SUPPORTED;
    for (int place = 0; place < count; place++) {
        struct sample each = {0};
        if (!begins(lines[place], "process") || !is(lines[place], "gpu", (handle - 1) / PLACES) ||
            number32(lines[place], "sm", &each.sm) || number(lines[place], "time", &each.time) || each.time <= since)
            continue;
        number32(lines[place], "pid", &each.pid);
        if (found < most)
            into[found] = each;
        found++;
    }
    *room = found;
    return found > most ? TOO_SMALL : found ? OK : NOT_FOUND;
}

static int accounted(u64 handle, int place)
{
    return begins(lines[place], "account") && is(lines[place], "gpu", (handle - 1) / PLACES);
}

int nvmlDeviceGetAccountingPids(u64 handle, u32 *room, u32 *pids)
{
    u32 found = 0, most = *room;
    CARD;
    for (int place = 0; place < count; place++)
        if (accounted(handle, place)) {
            if (found < most)
                number32(lines[place], "pid", &pids[found]);
            found++;
        }
    *room = found;
    return found > most ? TOO_SMALL : OK;
}

int nvmlDeviceGetAccountingStats(u64 handle, u32 pid, struct account *into)
{
    CARD;
    for (int place = 0; place < count; place++)
        if (accounted(handle, place) && is(lines[place], "pid", pid)) {
            memset(into, 0, sizeof *into);
            into->gpu = into->memory = ~0u;
            into->peak = ~0ull;
            number32(lines[place], "sm", &into->gpu);
            number(lines[place], "peak", &into->peak);
            number(lines[place], "time", &into->time);
            number(lines[place], "start", &into->start);
            number32(lines[place], "running", &into->running);
            return OK;
        }
    return NOT_FOUND;
}
