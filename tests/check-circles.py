#!/usr/bin/env python3
"""No two object files need each other (HACKING): whoever calls is above, whoever is called is below. Prints TAP.

Read from the symbols of what was built. An events table (functions handed over) makes no circle: that is what it is for.
"""
import glob
import os
import subprocess
import sys

# Circles that stay, with the reason. A line that is not needed any more is a failure, too.
STAY = {}


def module_of(path):
    """build/src/io/libio_a-mirror.o -> io/mirror"""
    name = os.path.basename(path)[:-2].split('-')[-1]
    return os.path.join(os.path.relpath(os.path.dirname(path), 'src'), name)


def symbols(objects):
    """{module: (symbols defined, symbols needed)}"""
    found = {}
    for path in objects:
        defined, needed = found.setdefault(module_of(path), (set(), set()))
        for line in subprocess.check_output([os.environ.get('NM') or 'nm', path], text=True).splitlines():
            kind, name = line.split()[-2:]
            if kind == 'U':
                needed.add(name)
            elif kind in 'TDBRCV' and name != 'main':
                defined.add(name)
    return found


def links(found):
    """{module: modules it needs}"""
    home = {name: module for module, (defined, _) in found.items() for name in defined}
    return {module: {home[name] for name in needed if home.get(name, module) != module}
            for module, (_, needed) in found.items()}


def reachable(graph, start):
    seen, todo = set(), list(graph[start])
    while todo:
        node = todo.pop()
        if node not in seen:
            seen.add(node)
            todo.extend(graph[node])
    return seen


def circles(graph):
    """Sets of modules that need each other, by whatever way, as sorted words."""
    reach = {node: reachable(graph, node) for node in graph}
    return sorted({' '.join(sorted(b for b in reach[a] if a in reach[b])) for a in graph if a in reach[a]})


def result(number, name, wrong):
    print(f'{"not ok" if wrong else "ok"} {number} - {name}')
    for line in wrong:
        print('#', line)
    return bool(wrong)


def main():
    sources = os.path.join(os.path.abspath(os.environ.get('srcdir', '.')), 'src')
    os.chdir(os.environ.get('builddir', 'build'))
    objects = glob.glob('src/**/*.o', recursive=True)  # an old build folder has some of files that have moved
    graph = links(symbols(o for o in objects if os.path.exists(os.path.join(sources, module_of(o) + '.c'))))
    found = circles(graph)
    print('1..3')
    failed = result(1, 'no two files need each other', [c for c in found if c not in STAY])
    failed |= result(2, 'a circle that stays is still there', [c for c in STAY if c not in found])
    below, above = next((b, a) for a in sorted(graph) for b in sorted(graph[a]) if not any({a, b} & set(c.split()) for c in found))
    graph[below].add(above)
    failed |= result(3, 'a planted circle is seen', [] if circles(graph) != found else [f'{below} needing {above}'])
    return failed


sys.exit(main())
