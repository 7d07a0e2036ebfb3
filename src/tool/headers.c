/* SPDX-License-Identifier: Apache-2.0 */
/* headers: what would be carried under this environment, straight from the list that decides. */
#include <stdio.h>
#include <stdlib.h>

#include "engine/policy.h"
#include "tool/tool.h"

static const char *env(const char *name)
{
    return getenv(name);
}

static void warn(const char *what, const char *detail, size_t n)
{
    fprintf(stderr, "tracebaton: %s: %.*s\n", what, (int)n, detail);
}

/* By its group, or because it is among the user's own. */
static bool is_carried(const struct names *names, int row)
{
    const struct names_row *r = &names_rows[row];
    if (r->match == MATCH_PREFIX)
        return r->def < DEFAULT_LISTED && (names->on >> r->group & 1);
    return r->def < DEFAULT_LISTED && names_find(names, (struct span){r->name, r->len}) == row;
}

int verb_headers(int argc, char **argv)
{
    static struct policy p;
    static const char classes[] = "ITUC";
    (void)argc, (void)argv;
    policy_init(&p, env, warn);
    printf("%-28s %-16s %-5s %6s  %s\n", "header", "propagator", "class", "bytes", "carried");
    for (int i = 0; i < NAMES_BUILTIN; i++) {
        const struct names_row *r = &names_rows[i];
        if (r->def == DEFAULT_NEVER)
            continue;
        bool on = is_carried(&p.names, i);
        printf("%s%-*s %-16s %-5c %6u  %s\n", r->name, 28 - r->len,
               r->match == MATCH_PREFIX ? "*" : "", names_groups[r->group], classes[r->cls], r->max,
               on ? "yes" : "no");
    }
    for (int i = 0; i < p.names.extras; i++)
        printf("%s%-*s %-16s %-5c %6u  yes\n", p.names.extra[i].name, 28 - p.names.extra[i].len,
               p.names.extra[i].prefix ? "*" : "", "(yours)",
               classes[names_row(&p.names, NAMES_EXTRA + i)->cls], NAMES_EXTRA_MAX);
    return 0;
}
