#include "actors/kinds/kind_tools.hpp"
#include "actors/tool/tool_performers.hpp"
#include "schemas/base/json.hpp"

#include <fmt/format.h>

#include <string>
#include <string_view>

namespace troupe::actors {

namespace {

/// In a copy, so that the project stays as it is. Values come in variables: nothing of them is read as shell.
constexpr std::string_view script = R"sh(set -eu
command -v git >/dev/null || { echo "git is not installed on this node" >&2; exit 125; }
git rev-parse --git-dir >/dev/null 2>&1 || [ -e .git ] || { echo "the project has no git history here" >&2; exit 125; }
base=$(mktemp -d)
trap 'rm -rf "$base"' EXIT
mkdir "$base/home"
export HOME="$base/home" GIT_TERMINAL_PROMPT=0
git config --global safe.directory '*'
git config --global advice.detachedHead false
git clone -q --shared . "$base/work"
cd "$base/work"
git rev-parse -q --verify "$BISECT_GOOD^{commit}" >/dev/null || { echo "there is no revision $BISECT_GOOD" >&2; exit 125; }
git rev-parse -q --verify "$BISECT_BAD^{commit}" >/dev/null || { echo "there is no revision $BISECT_BAD" >&2; exit 125; }
git bisect start "$BISECT_BAD" "$BISECT_GOOD" --
git bisect run sh -c "$BISECT_COMMAND" || exit 125
)sh";

constexpr std::string_view found_mark = " is the first bad commit";

/// The commit that git names; empty: none.
std::string first_bad(std::string_view output) {
    const auto mark = output.rfind(found_mark);
    if (mark == output.npos) {
        return {};
    }
    const auto line = output.rfind('\n', mark);
    return std::string(output.substr(line == output.npos ? 0 : line + 1, mark - (line == output.npos ? 0 : line + 1)));
}

bool is_revision(std::string_view text) { return !text.starts_with('-') && text.find_first_of(" \t\r\n") == text.npos; }

} // namespace

tool_result git_bisect(const git_bisect_arguments& a, const tool_environment& where) {
    if (where.commands == nullptr) {
        return refuse("git_bisect is not available here: the node has no sandbox to run it in");
    }
    if (!is_revision(a.good) || !is_revision(a.bad)) {
        return refuse("good and bad are revisions, as v1.2, HEAD~20 or a commit's hash");
    }
    runtime::command_spec spec;
    spec.argv = {"sh", "-c", std::string(script)};
    spec.project = where.project;
    spec.network = where.network;
    spec.limits = where.limits;
    spec.environment = {{"BISECT_GOOD", a.good}, {"BISECT_BAD", a.bad}, {"BISECT_COMMAND", a.command}};
    const auto done = where.commands->run(where.key, spec, where.stop, where.on_output);
    if (!done) {
        return refuse(done.error());
    }
    const auto commit = first_bad(done->out);
    auto out = shown(*done);
    if (commit.empty()) {
        out.content = "no first bad commit was found\n" + out.content;
        out.is_error = true;
        return out;
    }
    const auto from = done->out.rfind(commit + std::string(found_mark));
    out.content = shorten(fmt::format("first bad commit: {}\n{}", commit, std::string_view(done->out).substr(from)),
                          tool_content_bytes_max);
    out.details.text.pop_back();
    out.details.text += R"(,"first_bad":)" + json::quoted(commit) + "}";
    return out;
}

} // namespace troupe::actors
