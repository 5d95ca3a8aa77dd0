#include "actors/notification/mail_templates.hpp"

#include "schemas/base/durable_file.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <system_error>
#include <utility>

namespace troupe::actors {
namespace {

using values = std::map<std::string, std::string, std::less<>>;

constexpr std::size_t file_bytes_max = 64 << 10;
constexpr std::string_view several = "several";

constexpr std::string_view one_text = "Subject: {{title}}\n\n{{title}}\n\n{{text}}\n\n{{url}}\n";
constexpr std::string_view several_text = "Subject: {{count}} notifications\n\n{{items}}\n";
constexpr std::string_view item_text = "- {{title}}\n  {{text}}\n  {{url}}\n";

const values samples_of_one{{"title", ""}, {"text", ""}, {"url", ""}, {"kind", ""}, {"priority", ""}, {"actor", ""}};
const values samples_of_several{{"count", ""}, {"items", ""}};

/// Puts values in, once: what they hold is text. A line that has nothing but values which are empty is left out.
/// A problem names the line.
expected<std::string> fill(std::string_view text, const values& given) {
    std::string out;
    for (int number = 1; !text.empty(); ++number) {
        auto line = text.substr(0, text.find('\n'));
        text.remove_prefix(std::min(text.size(), line.size() + 1));
        line.remove_suffix(line.ends_with('\r') ? 1 : 0);
        std::string filled;
        bool had_value = false;
        for (auto at = line.find("{{"); at != std::string_view::npos; at = line.find("{{")) {
            const auto end = line.find("}}", at);
            const auto name = line.substr(at + 2, end == std::string_view::npos ? end : end - at - 2);
            const auto value = given.find(name);
            if (end == std::string_view::npos || value == given.end()) {
                return problem{code::config_invalid,
                               end == std::string_view::npos
                                   ? fmt::format("{}: '{{{{' without '}}}}'", number)
                                   : fmt::format("{}: there is nothing called '{}' here", number, name)};
            }
            filled += std::string(line.substr(0, at)) + value->second;
            had_value = true;
            line.remove_prefix(end + 2);
        }
        filled += line;
        if (!had_value || filled.find_first_not_of(" \t") != std::string::npos) {
            out += filled + "\n";
        }
    }
    return out;
}

/// Without line ends behind it. The text was checked when it was set.
std::string filled(std::string_view text, const values& given) {
    auto out = fill(text, given).value();
    while (out.ends_with('\n')) {
        out.pop_back();
    }
    return out;
}

template <class Enum>
std::string name_of(Enum value) {
    return std::string(detail::enum_name(value));
}

values values_of(const notification_document& n, const std::string& link) {
    return {{"title", n.title},
            {"text", n.text},
            {"url", link},
            {"kind", name_of(n.kind)},
            {"priority", name_of(n.priority)},
            {"actor", n.actor}};
}

} // namespace

mail_templates::mail_templates() {
    boost::mp11::mp_for_each<boost::describe::describe_enumerators<notification_kind>>(
        [&](auto kind) { (void)set(kind.name, one_text); });
    (void)set(std::string(several), several_text);
}

expected<void> mail_templates::set(const std::string& name, std::string_view text) {
    const bool is_kind = detail::enum_value<notification_kind>(name).has_value();
    if (!is_kind && name != several) {
        return problem{code::config_invalid, "there is no kind of notifications of this name"};
    }
    constexpr std::string_view mark = "Subject: ";
    const auto end = text.find('\n');
    auto first = text.substr(0, end);
    first.remove_suffix(first.ends_with('\r') ? 1 : 0);
    if (!first.starts_with(mark) || first.size() == mark.size()) {
        return problem{code::config_invalid, "1: has to begin with 'Subject: '"};
    }
    auto rest = end == std::string_view::npos ? std::string_view() : text.substr(end + 1);
    if (!rest.empty() && !rest.starts_with('\n') && !rest.starts_with("\r\n")) {
        return problem{code::config_invalid, "2: has to be empty"};
    }
    if (const auto used = fill(text, is_kind ? samples_of_one : samples_of_several); !used) {
        return used.error();
    }
    rest.remove_prefix(std::min(rest.size(), rest.find('\n') + 1)); // nothing is found in nothing: 0
    by_name_[name] = {std::string(first.substr(mark.size())), std::string(rest)};
    return {};
}

expected<mail_templates> mail_templates::read(const std::filesystem::path& folder) {
    mail_templates out;
    std::error_code bad;
    std::vector<std::filesystem::path> files;
    for (std::filesystem::directory_iterator at(folder, bad), end; !bad && at != end; at.increment(bad)) {
        if (at->path().extension() == ".txt") {
            files.push_back(at->path());
        }
    }
    if (bad) {
        return problem{code::config_invalid, fmt::format("{}: {}", folder.native(), bad.message())};
    }
    std::ranges::sort(files);
    for (const auto& file : files) {
        const auto text = read_whole_file(file, file_bytes_max);
        const auto taken = text ? out.set(file.stem().native(), *text) : expected<void>(text.error());
        if (!taken) {
            return problem{code::config_invalid, fmt::format("{}:{}", file.native(), taken.error().detail)};
        }
    }
    return out;
}

mail_text mail_templates::write_with(const std::vector<notification_document>& told,
                                     const std::vector<std::string>& links) const {
    values given;
    std::string name(several);
    if (told.size() == 1) {
        name = name_of(told.front().kind);
        given = values_of(told.front(), links.front());
    } else {
        std::string items;
        for (std::size_t i = 0; i < told.size(); ++i) {
            items += (i == 0 ? "" : "\n\n") + filled(item_text, values_of(told[i], links[i]));
        }
        given = {{"count", std::to_string(told.size())}, {"items", items}};
    }
    const auto& found = by_name_.at(name);
    return {filled(found.subject, given), filled(found.body, given) + "\n"};
}

} // namespace troupe::actors
