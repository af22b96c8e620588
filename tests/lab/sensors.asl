/* Hardware for a guest, as its firmware would tell of it (ACPI specification, 10.4 and 11): a power meter, which Linux
 * shows as power1_average of a chip of hwmon, and a thermal zone, which it shows as temp. Both move: each reading
 * adds to the value, which begins anew when it is at the top. Compiled by iasl. */
DefinitionBlock ("sensors.aml", "SSDT", 2, "COLMET", "SENSORS", 1)
{
    Scope (\_SB)
    {
        Device (METR)
        {
            Name (_HID, "ACPI000D")
            Name (_UID, 1)
            Name (WATT, 200000)                 /* mW */
            Method (_PMM, 0, Serialized)
            {
                WATT += 500
                If (WATT > 300000) { WATT = 200000 }
                Return (WATT)
            }
            Method (_PMC, 0)                    /* it measures, in mW, its input; in steps of 500 ms and 1 W */
            {
                Return (Package () { 1, 0, 0, 100000, 500, 500, 10000, 0, 0xFFFFFFFF, 1000, 0, "Meter", "1", "guest" })
            }
            Method (_GAI, 0) { Return (500) }
            Method (_PAI, 1) { Return (0) }
            Method (_PMD, 0) { Return (Package () { }) }
        }
    }
    Scope (\_TZ)
    {
        ThermalZone (ZONE)
        {
            Name (TENK, 3000)                   /* tenths of a kelvin */
            Method (_TMP, 0, Serialized)
            {
                TENK += 10
                If (TENK > 3500) { TENK = 3000 }
                Return (TENK)
            }
            Method (_CRT, 0) { Return (4000) }
            Name (_TZP, 10)
        }
    }
}
