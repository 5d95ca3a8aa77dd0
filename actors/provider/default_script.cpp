#include "actors/provider/rehearsal.hpp"

namespace troupe::actors {

// The embedded rehearsal. It works on tests/fixtures/sample with the real tools; each step depends on what the tools
// answered. The format is in rehearsal.md.
std::string_view default_rehearsal_script() {
    return R"yaml(
name: default
rules:
  - name: look around
    when: {step: 1, tools_available: [list_files, read_file, edit_file, run_command, finish]}
    say: |
      I am a scripted rehearsal, not a language model. I follow a fixed set of rules, with the real tools and on the
      real files of this project. First I look at what is here.
    call:
      - {tool: list_files, arguments: {depth: 3}}

  - name: tools are missing
    when: {step: 1}
    say: |
      I am a scripted rehearsal, not a language model. My rules need the tools list_files, read_file, edit_file,
      run_command and finish, and this agent does not have all of them, so there is nothing that I can do. Give the
      agent these tools, or choose a language model.

  - name: read
    when: {after: look around, last_tool: list_files, last_is_error: false, last_result_matches: '\brun-tests\.sh\b'}
    once: true
    capture:
      - matches: '(?<test_file>\b(?<unit>[\w-]+)_test\.cpp)\b'
    say: |
      There is a test script, and ${test_file} tests what is in ${unit}.cpp. I read what the project promises and how
      it does it.
    call:
      - {tool: read_file, arguments: {path: README.md}}
      - {tool: read_file, arguments: {path: "${unit}.cpp"}}

  - name: run the tests
    when: {after: read, last_tool: read_file, last_is_error: false}
    once: true
    capture:
      - {from: any_result, matches: '(?<suspect>next\.first <= merged\.back\(\)\.last)\)'}
    say: Now I run the tests, to see what is wrong before I touch anything.
    call:
      - {tool: run_command, arguments: {command: sh run-tests.sh}}

  - name: mend
    when:
      captured: [suspect]
      last_tool: run_command
      last_result_matches: '^(?<file>[\w./-]+):(?<line>\d+): pages "(?<pages>[^"]*)": expected "(?<want>[^"]*)", got "(?<got>[^"]*)"'
    once: true
    capture:
      - matches: '^(?<before>\d+ of \d+ checks passed)'
    say: |
      ${before}. The first that fails is ${file}, line ${line}: the pages "${pages}" should become "${want}" but stay
      "${got}". Ranges that follow each other without a gap are not joined. The README says that they have to be, and
      ${unit}.cpp joins them only if `${suspect}`, which asks for a page in common. It is off by one.
    call:
      - tool: edit_file
        arguments: {path: "${unit}.cpp", old_text: "${suspect}", new_text: "${suspect} + 1"}

  - name: run them again
    when: {after: mend, last_tool: edit_file, last_is_error: false}
    once: true
    say: The edit is in place. I run the tests again, because an edit proves nothing.
    call:
      - {tool: run_command, arguments: {command: sh run-tests.sh}}

  - name: report success
    when: {after: run them again, last_tool: run_command, last_is_error: false, last_result_matches: '\Aexit code: 0\b[\s\S]*?^(?<now>\d+ of \d+ checks passed)'}
    say: The tests pass now (${now}).
    call:
      - tool: finish
        arguments:
          result: |
            The tests pass: ${now} (before: ${before}).

            Cause: ${unit}.cpp joined two ranges only when they had a page in common. Ranges that follow each other, as
            in "${pages}", stayed apart ("${got}" in place of "${want}", ${file}:${line}).
            Change: in ${unit}.cpp, `${suspect}` became `${suspect} + 1`.

  - name: report failure after the edit
    when: {after: run them again, last_tool: run_command}
    say: The tests still do not pass. I have no rule for that, and I will not claim a success.
    call:
      - tool: finish
        arguments:
          success: false
          result: |
            Not solved. I changed `${suspect}` to `${suspect} + 1` in ${unit}.cpp, but the tests still fail:

            ${result}

  - name: nothing to mend
    when: {after: run the tests, last_tool: run_command, last_is_error: false, last_result_matches: '\Aexit code: 0\b[\s\S]*?^(?<before>\d+ of \d+ checks passed)'}
    say: The tests pass already (${before}). There is nothing to mend.
    call:
      - tool: finish
        arguments: {result: "Nothing was changed: the tests of ${unit}.cpp pass as they are (${before})."}

  - name: report an error of a tool
    when: {last_is_error: true}
    say: ${tool} reported an error, and I have no rule for that. I stop here.
    call:
      - {tool: finish, arguments: {success: false, result: "Not solved. ${tool} reported: ${result}"}}

  - name: report an unknown failure
    when: {last_tool: run_command}
    say: The tests fail in a way that my rules do not know. I stop here; a language model could go on.
    call:
      - tool: finish
        arguments:
          success: false
          result: |
            Not solved. The tests fail in a way that this script does not know:

            ${result}

  - name: report an unknown project
    when: {step: 2, last_tool: list_files}
    say: This is not the sample project that my rules know. I stop here; a language model could go on.
    call:
      - tool: finish
        arguments:
          success: false
          result: |
            Nothing was changed. This rehearsal is scripted for Troupe's sample project, and these are the files here:

            ${result}
)yaml";
}

} // namespace troupe::actors
