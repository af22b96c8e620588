/* What the parts of this helper share of their cells. */
#define MISSING INT64_MIN               /* not known */
