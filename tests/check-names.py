#!/usr/bin/env python3
"""One word, one meaning (HACKING, "Style"): prints TAP.

No two structs of the tree have one name, no static function shares its name with one of another file of its shelf, and
what a header exports begins with the header's own word.
"""
import collections
import os
import re
import sys

# A fake has the names of what it stands for.
FAKES = re.compile(r'tests/mapd/resolve/fake_\w+\.c$')
# Headers whose exports have another first word, and why.
WORDS = {
    'base/xalloc.h': ['x'],  # xmalloc() and its like: everybody's names
    'ctl/commands.h': ['cmd'],  # a command each, from its own file
}


def files(*tops, end):
    for top in tops:
        for folder, _, names in sorted(os.walk(top)):
            for name in sorted(names):
                if name.endswith(end):
                    yield os.path.join(folder, name)


def text_of(path):
    with open(path, encoding='utf-8') as f:
        return re.sub(r'/\*.*?\*/', '', f.read(), flags=re.S)


def several(found):
    return [f'{name}: {" ".join(sorted(where))}' for name, where in sorted(found.items()) if len(where) > 1]


def structs():
    found = collections.defaultdict(set)
    for path in files('src', 'tests', 'bench', end=('.c', '.h')):
        if not FAKES.search(path):
            for name in re.findall(r'^(?:typedef |static |const )*(?:struct|union|enum) (\w+) \{', text_of(path), re.M):
                found[name].add(path)
    return several(found)


def statics():
    found = collections.defaultdict(set)
    for path in files('src', end='.c'):
        shelf = path.split(os.sep)[1]
        for name in re.findall(r'^static [^;=({]*?\b(\w+)\(', text_of(path), re.M):
            found[f'{shelf}: {name}'].add(path)
    return several(found)


def exports():
    wrong = []
    for path in files('src', end='.h'):
        own = os.path.basename(path)[:-2]
        words = WORDS.get(os.path.relpath(path, 'src')) or WORDS.get(
            '/'.join([path.split(os.sep)[1], os.path.basename(path)])) or [own.split('_')[0].rstrip('s')]
        text = text_of(path)
        names = re.findall(r'^(?!static|typedef|#|\s|[A-Z_]+\()[\w *]*?\b(\w+)\(', text, re.M)
        names += re.findall(r'^extern [^;(]*?\b(\w+)(?:\[\w*\])?;', text, re.M)
        wrong += [f'{path}: {name}' for name in names if not name.startswith(tuple(words))]
    return wrong


def main():
    os.chdir(os.environ.get('srcdir', '.'))
    checks = [('no two structs of one name', structs), ('no two statics of one name on a shelf', statics),
              ('exports begin with the word of their header', exports)]
    failed = 0
    print(f'1..{len(checks)}')
    for number, (name, check) in enumerate(checks, 1):
        wrong = check()
        failed += bool(wrong)
        print(f'{"not ok" if wrong else "ok"} {number} - {name}')
        for line in wrong:
            print('#', line)
    return failed > 0


sys.exit(main())
