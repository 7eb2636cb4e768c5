"""Every word of the interface is there in both languages, once, also where a page brings its own."""
import pathlib
import re

STATIC = pathlib.Path(__file__).parents[2] / 'worker/web/static'
POLICY = STATIC.parents[2] / 'policy'
WORD = re.compile(r"^  '?([\w.-]+)'?: \['((?:[^'\\]|\\.)+)',\s+'((?:[^'\\]|\\.)+)'\],$", re.M)
STARTED = re.compile(r"^  '?[\w.-]+'?: \[", re.M)


def words(name):
    text = (STATIC / name).read_text()
    found = WORD.findall(text)
    assert len(found) == len(STARTED.findall(text)), f'{name}: a word that is not there in both languages'
    return {key: (fr, en) for key, fr, en in found}


def test_no_word_is_missing_or_has_two_meanings():
    common, seen = words('words.js'), {}
    for path in sorted(STATIC.glob('*.js')):
        own = words(path.name)
        for key, both in own.items():
            assert seen.setdefault(key, both) == both, f'{path.name}: {key} is another word elsewhere'
        more = words('provider_words.js') if path.name == 'provider.js' else {}
        asked = set(re.findall(r"\bt\('([\w.-]+)'\)", path.read_text()))
        assert asked <= common.keys() | own.keys() | more.keys(), (path.name, asked - common.keys() - own.keys())


def test_every_verb_of_staff_has_its_words():
    verbs = set(re.findall(r'^(?:VERB|SHARED|REFUSED)\((\w+)', (POLICY / 'duties.def').read_text(), re.M))
    assert len(verbs) > 40 and verbs <= {key[5:] for key in words('provider_words.js') if key.startswith('verb.')}


def test_every_result_of_a_copy_has_its_words():
    results = set(re.findall(r'^\w+\(\w+,\s*"([\w-]+)"', (POLICY / 'backup_results.def').read_text(), re.M))
    assert len(results) > 10 and results <= {key[7:] for key in words('plans.js') if key.startswith('result.')}


def test_every_line_of_the_journal_has_its_words():
    acts = set(re.findall(r'^ACT\((\w+),', (POLICY.parent / 'worker/journal/journal.def').read_text(), re.M))
    assert len(acts) > 40 and acts <= {key[4:] for key in words('words.js') if key.startswith('act.')}
