#!/usr/bin/env python3
"""No assertion that a peer's octets can reach (issue 9): every assert() and abort() of src/ stands in tests/asserts with the
reason why outside input cannot get there, and nothing stands there that is gone. Prints TAP.

A line of tests/asserts: file, what is asserted (of abort(): in which function), reason, with tabs between them.
"""
import glob
import os
import re
import sys

TABLE = 'tests/asserts'
CALL = re.compile(r'\b(assert|abort|__builtin_trap|__builtin_unreachable|__assert_fail)\s*\(')
FUNCTION = re.compile(r'^[A-Za-z_].*?\b(\w+)\(')
PROSE = re.compile(r'/\*.*?\*/|//[^\n]*|"(?:[^"\\\n]|\\.)*"', re.S)


def masked(text):
    """TEXT with comments and strings blank, every other octet in its place."""
    return PROSE.sub(lambda m: re.sub(r'[^\n]', ' ', m.group()), text)


def closing(text, at):
    """Where the parenthesis that opens at AT ends."""
    depth = 0
    for i in range(at, len(text)):
        depth += {'(': 1, ')': -1}.get(text[i], 0)
        if depth == 0:
            return i
    return len(text)


def function_at(code, at):
    name = '?'
    for line in code[:at].splitlines():
        found = FUNCTION.match(line)
        if found and not line.rstrip().endswith(';'):
            name = found.group(1)
    return name


def found_in(name, text):
    """[(file, what)] of one file."""
    code, rows = masked(text), []
    for call in CALL.finditer(code):
        start = call.end() - 1
        words = ' '.join(text[start + 1:closing(code, start)].split())
        rows.append((name, words if call.group(1) == 'assert' else '%s() in %s' % (call.group(1), function_at(code, call.start()))))
    return rows


def found_all():
    rows = []
    for name in sorted(glob.glob('src/**/*.[ch]', recursive=True)):
        with open(name, encoding='utf-8') as f:
            rows += found_in(name, f.read())
    return rows


def table():
    """([(file, what)], faults)"""
    rows, faults = [], []
    with open(TABLE, encoding='utf-8') as f:
        for number, line in enumerate(f, 1):
            if line.startswith('#') or not line.strip():
                continue
            parts = line.rstrip('\n').split('\t')
            if len(parts) != 3 or len(parts[2].split()) < 3:
                faults.append('%s:%d: not file, expression and a reason: %s' % (TABLE, number, line.strip()))
                continue
            rows.append((parts[0], parts[1]))
    return rows, faults


def surplus(some, others):
    """What SOME has and OTHERS has not, or has less often."""
    rest, more = list(others), []
    for row in some:
        if row in rest:
            rest.remove(row)
        else:
            more.append('%s: %s' % row)
    return more


def result(number, name, wrong):
    print('%s %d - %s' % ('not ok' if wrong else 'ok', number, name))
    for line in wrong:
        print('#', line)
    return bool(wrong)


def main():
    os.chdir(os.environ.get('srcdir') or '.')
    found, (listed, faults) = found_all(), table()
    planted = 'static int\nf(void)\n{\n\tassert(a ==\n\t       g(")")); /* assert(no) */\n\tputs("abort()");\n}\nint h(int x)\n{\n\tabort();\n}\n'
    print('1..4')
    failed = result(1, 'every assertion is listed with its reason (%d)' % len(found), surplus(found, listed))
    failed |= result(2, 'every one that is listed is there', surplus(listed, found))
    failed |= result(3, 'each line has a reason', faults)
    failed |= result(4, 'planted ones are seen, those in comments and strings are not',
                     [] if found_in('x', planted) == [('x', 'a == g(")")'), ('x', 'abort() in h')] else [str(found_in('x', planted))])
    return failed


sys.exit(main())
