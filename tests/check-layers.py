#!/usr/bin/env python3
"""Includes go downward only (doc/design.md): shelves, the rooms inside them, and the order inside core's heart. Prints TAP.

Every check is also made on the tree with one wrong include planted in it, and must find that. Who calls whom is held by
check-circles.py.
"""
import os
import re
import sys

# Each line may include itself and what stands above it.
SHELVES = [['base'], ['core'], ['io'], ['mapd', 'milter', 'ctl']]
ROOMS = {
    'core': [['.'], ['doctor']],
    'io': [['.'], ['conf'], ['redis', 'dns', 'https'], ['mirror']],
    'mapd': [['resolve'], ['serve'], ['maps'], ['.']],
}
# Of a line's rooms each for itself: they do not know each other.
APART = {'redis', 'dns', 'https', 'mapd', 'milter', 'ctl'}
# A header on a program's ground floor that its rooms may see: what they have in common.
COMMON = {'mapd/mapd.h', 'mapd/metrics.h'}
HEART = [
    ['mode', 'domain', 'hdr', 'rr', 'netstring', 'sockmap', 'nexthop', 'sentinel'],
    ['sts_record', 'sts_policy', 'dane', 'from', 'setting', 'settings', 'settings_entry', 'settings_closest', 'rkeys', 'sts_mx', 'tag',
     'refusal'],
    ['facts'],
    ['plan_host', 'facts_text', 'text_reader', 'facts_text_take', 'plan', 'reason', 'decide', 'guard', 'match_names'],
    ['answer'],
    ['explain'],
]
INCLUDE = re.compile(r'^#include "([^"]+)"', re.M)


def read_includes():
    """{file: [what it includes]}, all below src."""
    found = {}
    for folder, _, names in os.walk('.'):
        for name in names:
            if name.endswith(('.c', '.h')):
                path = os.path.relpath(os.path.join(folder, name), '.')
                with open(path, encoding='utf-8') as f:
                    found[path] = [t for t in INCLUDE.findall(f.read()) if t != 'config.h']
    return found


def rank_of(word, lines):
    for rank, line in enumerate(lines):
        if word in line:
            return rank
    return None


def shelf_of(path):
    return path.split('/')[0]


def room_of(path):
    parts = path.split('/')
    return parts[1] if len(parts) > 2 else '.'


def module_of(path):
    return os.path.splitext(path)[0]


def pairs(includes):
    for path, targets in sorted(includes.items()):
        for target in targets:
            yield path, target


def check_known(includes):
    """Every file stands on a shelf and in a room that has its place in the order, and what it includes is there."""
    for path in sorted(includes):
        shelf = shelf_of(path)
        if rank_of(shelf, SHELVES) is None:
            yield f'{path}: no shelf'
        elif rank_of(room_of(path), ROOMS.get(shelf, [['.']])) is None:
            yield f'{path}: its room has no place in the order'
    for path, target in pairs(includes):
        if target not in includes:
            yield f'{path} includes {target}, which is not there'


def downward(a, b, lines):
    rank_a, rank_b = rank_of(a, lines), rank_of(b, lines)
    if a == b or rank_a is None or rank_b is None:
        return True
    return rank_b < rank_a or (rank_a == rank_b and not (a in APART and b in APART))


def check_shelves(includes):
    for path, target in pairs(includes):
        if not downward(shelf_of(path), shelf_of(target), SHELVES):
            yield f'{path} includes {target}'


def check_rooms(includes):
    for path, target in pairs(includes):
        shelf = shelf_of(path)
        if shelf != shelf_of(target) or shelf not in ROOMS or target in COMMON:
            continue
        if not downward(room_of(path), room_of(target), ROOMS[shelf]):
            yield f'{path} includes {target}'


def check_heart(includes):
    for path, target in pairs(includes):
        if shelf_of(path) != 'core' or room_of(path) != '.':
            continue
        own = rank_of(os.path.basename(module_of(path)), HEART)
        if own is None:
            yield f'{path} has no place in the order'
        elif shelf_of(target) == 'core':
            other = rank_of(os.path.basename(module_of(target)), HEART)
            if other is None or other > own:
                yield f'{path} includes {target}'


# The check, its name, and the wrong include it must find: FILE, TARGET.
CHECKS = [
    (check_known, 'every file has its place', 'base/sbuf.c', 'base/no_such_file.h'),
    (check_shelves, 'shelves link downward', 'core/plan.c', 'io/listen.h'),
    (check_shelves, 'programs do not know each other', 'milter/main.c', 'mapd/mapd.h'),
    (check_rooms, 'the rooms of core link downward', 'core/plan.c', 'core/doctor/doctor.h'),
    (check_rooms, 'the rooms of io link downward', 'io/redis/redis.c', 'io/mirror/mirror.h'),
    (check_rooms, 'the rooms of io that stand side by side do not know each other', 'io/redis/redis.c', 'io/dns/dns_ub.h'),
    (check_rooms, 'the rooms of mapd link downward', 'mapd/resolve/job.c', 'mapd/maps/reply.h'),
    (check_heart, 'the order inside the heart of core holds', 'core/plan.c', 'core/answer.h'),
]


def main():
    os.chdir(os.path.join(os.environ.get('srcdir', '.'), 'src'))
    includes = read_includes()
    failed = 0
    print(f'1..{len(CHECKS)}')
    for number, (check, name, path, target) in enumerate(CHECKS, 1):
        wrong = list(check(includes))
        broken = dict(includes)
        broken[path] = includes.get(path, []) + [target]
        if path not in includes or len(list(check(broken))) <= len(wrong):
            wrong.append(f'{path} including {target} is not noticed')
        failed += bool(wrong)
        print(f'{"not ok" if wrong else "ok"} {number} - {name}')
        for line in wrong:
            print('#', line)
    return failed > 0


if __name__ == '__main__':
    sys.exit(main())
