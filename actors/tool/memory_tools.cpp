#include "actors/tool/memory_tools.hpp"

#include "actors/common/stored.hpp"
#include "actors/tool/tool_performers.hpp"
#include "schemas/memory_messages.hpp"

#include <algorithm>
#include <cctype>
#include <functional>
#include <set>
#include <utility>
#include <vector>

namespace troupe::actors::memory_tools {
namespace {

const problem nothing_remembered{code::unavailable, "Only runs of an agent remember something."};

/// Letters and digits in a row, ASCII in lower case.
std::set<std::string> words_of(std::string_view text) {
    std::set<std::string> out;
    std::string word;
    const auto end = [&] {
        if (!word.empty()) {
            out.insert(std::exchange(word, {}));
        }
    };
    for (const auto c : text) {
        const auto u = static_cast<unsigned char>(c);
        if (std::isalnum(u) != 0 || u >= 0x80) {
            word += static_cast<char>(std::tolower(u));
        } else {
            end();
        }
    }
    end();
    return out;
}

std::size_t fit(const memory_note& note, const std::set<std::string>& wanted) {
    const auto words = words_of(note.key + " " + note.text);
    return static_cast<std::size_t>(std::ranges::count_if(wanted, [&](const auto& w) { return words.contains(w); }));
}

} // namespace

tool_result remember(const remember_arguments& a, const tool_environment& where) {
    if (!where.ask || !where.agent) {
        return refuse(nothing_remembered);
    }
    runtime::command c;
    c.to = memory_address(where.run.organization, *where.agent);
    c.principal = "run/" + to_string(where.run.id);
    c.id = key_of_call(where);
    c.type = a.text.empty() ? wire_name<remove_note>::value : wire_name<put_note>::value;
    c.payload = a.text.empty() ? to_json(remove_note{a.key}) : to_json(put_note{a.key, a.text});
    const auto done = where.ask(std::move(c));
    return done ? tool_result{.content = a.text.empty() ? "Removed.\n" : "Remembered.\n"} : refuse(done.error());
}

tool_result recall(const recall_memory_arguments& a, const tool_environment& where) {
    if (!where.store || !where.agent) {
        return refuse(nothing_remembered);
    }
    const auto memory =
        read_stored<memory_document>(*where.store, memory_address(where.run.organization, *where.agent));
    if (!memory) {
        return refuse(memory.error());
    }
    const auto wanted = words_of(a.query);
    std::vector<std::pair<std::size_t, const memory_note*>> found;
    if (*memory) {
        for (const auto& note : (*memory)->notes) {
            const auto words = fit(note, wanted);
            if (wanted.empty() || words > 0) {
                found.emplace_back(words, &note);
            }
        }
    }
    std::ranges::stable_sort(found, std::greater<>(), [](const auto& one) { return one.first; });
    std::string out;
    for (const auto& [words, note] : found) {
        out += "[" + note->key + ", " + to_string(note->updated_at).substr(0, 10) + "] " + note->text + "\n";
    }
    return {.content = out.empty() ? "Nothing is remembered of that.\n" : shorten(out, tool_content_bytes_max)};
}

} // namespace troupe::actors::memory_tools
