# SPDX-License-Identifier: Apache-2.0
"""Writes tun_types.c, the array of encapsulations: gen_types.py OUTPUT NAME..."""
import sys

out, names = sys.argv[1], sys.argv[2:]
with open(out, 'w', encoding='utf-8') as f:
    f.write('/* SPDX-License-Identifier: Apache-2.0 */\n')
    f.write('/* Generated from tunnels/meson.build. */\n')
    f.write('#include <string.h>\n\n#include "tunnels/tun.h"\n\n')
    for name in names:
        f.write(f'extern const struct tun_type tun_{name.replace("-", "_")};\n')
    f.write('\nconst struct tun_type *const tun_types[] = {\n')
    for name in names:
        f.write(f'\t&tun_{name.replace("-", "_")},\n')
    f.write('\tNULL\n};\n\n')
    f.write('const struct tun_type *\ntun_type_find(const char *name)\n{\n')
    f.write('\tfor (unsigned i = 0; tun_types[i]; i++)\n')
    f.write('\t\tif (!strcmp(tun_types[i]->name, name))\n\t\t\treturn tun_types[i];\n')
    f.write('\treturn NULL;\n}\n')
