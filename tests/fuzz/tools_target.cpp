// What tools and cassettes read: patches, pages of the web, recorded calls. The first byte says which of them.
#include "actors/provider/cassette.hpp"
#include "actors/tool/patch.hpp"
#include "actors/tool/web_text.hpp"
#include "schemas/base/json.hpp"
#include "tests/fuzz/fuzz.hpp"

namespace troupe::fuzz {

namespace {

using namespace troupe::actors;

/// A content, and a patch behind the first NUL.
void patches(std::string_view text) {
    const auto end = text.find('\0');
    const auto content = end == text.npos ? std::string_view() : text.substr(0, end);
    const auto files = parse_patch(end == text.npos ? text : text.substr(end + 1));
    if (!files) {
        return;
    }
    claim(files->size() <= patch_files_max, "files are bounded");
    for (const auto& file : *files) {
        claim(!file.old_path.empty() || !file.new_path.empty(), "a file has a path");
        const auto done = apply_hunks(file, content);
        if (done) {
            claim(done->lines.size() == file.hunks.size(), "each hunk has its place");
            (void)apply_hunks(reversed(file), done->content);
        }
    }
}

/// What is not becomes another text in JSON.
bool is_utf8(const std::string& text) {
    const auto read = json::document::parse(json::quoted(text));
    return read && read->root().as_string() == text;
}

void pages(std::string_view text) {
    const auto readable = to_utf8(text, "");
    claim(is_utf8(readable), "it is UTF-8");
    const auto page = read_html(readable, "https://host.example/a/b");
    claim(is_utf8(page.markdown) && is_utf8(page.title), "Markdown is UTF-8");
    const auto url = absolute_url(text, "https://host.example/a/b");
    claim(url.empty() || url.starts_with("http://") || url.starts_with("https://"), "an address is one of the web");
}

void cassettes(std::string_view text) {
    const auto tape = cassette::parse(cassette_header() + std::string(text));
    if (!tape) {
        claim(!tape.error().detail.empty(), "a problem has words");
        return;
    }
    for (const auto& entry : tape->entries()) {
        claim(tape->find(entry.request, 0).has_value(), "what was recorded is found");
        claim(cassette::parse(cassette_header() + to_line(entry)).has_value(), "a line can be read again");
        auto other = entry.request;
        other.messages.push_back({"user", "and more", {}, {}, false});
        other.messages.push_back({"user", "of it", {}, {}, false});
        if (const auto found = tape->find(other, 0); !found) {
            claim(json::document::parse(json::quoted(found.error().detail)).has_value(), "a difference can be told");
        }
    }
}

} // namespace

void try_input(std::string_view input) {
    if (input.empty()) {
        return;
    }
    constexpr void (*all[])(std::string_view) = {patches, pages, cassettes};
    all[static_cast<unsigned char>(input[0]) % std::size(all)](input.substr(1));
}

} // namespace troupe::fuzz
