#include "actors/kinds/security_auditor/advisories.hpp"

#include "actors/kinds/scanned_text.hpp"
#include "actors/kinds/security_auditor/finding_lines.hpp"

#include <fmt/format.h>

#include <algorithm>

namespace troupe::actors {

namespace {

constexpr std::size_t dependencies_max = 20'000; ///< Of one file.

bool is_number(std::string_view text) { return !text.empty() && text.find_first_not_of("0123456789") == text.npos; }

/// Parts between dots; numbers of any length are compared as numbers.
std::strong_ordering compare_parts(std::string_view a, std::string_view b, bool missing_is_zero) {
    while (!a.empty() || !b.empty()) {
        auto x = a.substr(0, a.find('.'));
        auto y = b.substr(0, b.find('.'));
        a.remove_prefix(std::min(x.size() + 1, a.size()));
        b.remove_prefix(std::min(y.size() + 1, b.size()));
        if (missing_is_zero) {
            x = x.empty() ? "0" : x;
            y = y.empty() ? "0" : y;
        }
        if (is_number(x) && is_number(y)) {
            x.remove_prefix(std::min(x.find_first_not_of('0'), x.size()));
            y.remove_prefix(std::min(y.find_first_not_of('0'), y.size()));
            if (x.size() != y.size()) {
                return x.size() <=> y.size();
            }
        } else if (is_number(x) != is_number(y) && !x.empty() && !y.empty()) {
            return is_number(x) ? std::strong_ordering::less : std::strong_ordering::greater;
        }
        if (x != y) {
            return x < y ? std::strong_ordering::less : std::strong_ordering::greater;
        }
    }
    return std::strong_ordering::equal;
}

/// "1.0.0-rc.1" and Python's "1.0rc1": the release, and what comes before it.
std::pair<std::string_view, std::string_view> release_of(std::string_view version) {
    if (version.starts_with('v')) {
        version.remove_prefix(1);
    }
    version = version.substr(0, version.find('+'));
    const auto end = std::min(version.find_first_not_of("0123456789."), version.size());
    auto pre = version.substr(end);
    pre.remove_prefix(std::min(pre.find_first_not_of("-_."), pre.size()));
    return {version.substr(0, end), pre};
}

/// Python's names know neither case nor which of -_. stands in them.
std::string key_of(std::string_view ecosystem, std::string_view name) {
    std::string out(name);
    if (ecosystem == "PyPI") {
        std::ranges::transform(out, out.begin(), [](char c) {
            return c == '_' || c == '.' ? '-' : c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
        });
    }
    return out;
}

std::vector<dependency> read_npm(std::string_view path, std::string_view text) {
    std::vector<dependency> out;
    const auto parsed = json::document::parse(text);
    if (!parsed) {
        return out;
    }
    const auto add = [&](std::string_view name, json::value item) {
        const auto version = item.text_or("version");
        if (!name.empty() && !version.empty() && out.size() < dependencies_max) {
            out.push_back({"npm", std::string(name), version, std::string(path), 0});
        }
    };
    if (const auto packages = parsed->root().find("packages")) {
        packages->each_member([&](std::string_view place, json::value item) {
            constexpr std::string_view folder = "node_modules/";
            const auto at = place.rfind(folder);
            if (at != place.npos) {
                add(place.substr(at + folder.size()), item);
            }
        });
    } else if (const auto first = parsed->root().find("dependencies")) { // npm 6 nests them
        const std::function<void(json::value)> each = [&](json::value list) {
            list.each_member([&](std::string_view name, json::value item) {
                add(name, item);
                if (const auto inner = item.find("dependencies")) {
                    each(*inner); // as deep as JSON may be
                }
            });
        };
        each(*first);
    }
    return out;
}

std::vector<dependency> read_requirements(std::string_view path, std::string_view text) {
    std::vector<dependency> out;
    std::uint32_t number = 0;
    for (line_reader in(text); in.next() && out.size() < dependencies_max;) {
        ++number;
        auto line = trimmed(in.line());
        line = trimmed(line.substr(0, line.find_first_of(";# ")));
        const auto equals = line.find("==");
        if (equals == line.npos || line.starts_with('-')) {
            continue;
        }
        const auto name = trimmed(line.substr(0, std::min(line.find('['), equals)));
        const auto version = trimmed(line.substr(
            line.find_first_not_of('=', equals) == line.npos ? line.size() : line.find_first_not_of('=', equals)));
        if (!name.empty() && !version.empty() && version.find('*') == version.npos) {
            out.push_back({"PyPI", std::string(name), std::string(version), std::string(path), number});
        }
    }
    return out;
}

std::vector<dependency> read_cargo_lock(std::string_view path, std::string_view text) {
    std::vector<dependency> out;
    std::string name;
    std::uint32_t number = 0;
    for (line_reader in(text); in.next() && out.size() < dependencies_max;) {
        ++number;
        scanner line(in.line());
        if (line.skip("[[package]]")) {
            name.clear();
        } else if (line.skip("name = \"")) {
            name = line.until("\"").value_or("");
        } else if (!name.empty() && line.skip("version = \"")) {
            out.push_back({"crates.io", name, std::string(line.until("\"").value_or("")), std::string(path), number});
            name.clear();
        }
    }
    return out;
}

std::vector<dependency> read_go_mod(std::string_view path, std::string_view text) {
    std::vector<dependency> out;
    bool inside = false;
    std::uint32_t number = 0;
    for (line_reader in(text); in.next() && out.size() < dependencies_max;) {
        ++number;
        scanner line(trimmed(in.line()));
        if (line.skip("require (")) {
            inside = true;
            continue;
        }
        if (line.rest().starts_with(')')) {
            inside = false;
        } else if (inside || line.skip("require ")) {
            const auto name = line.blanks().until(" ");
            const auto version = line.blanks().rest().substr(0, line.rest().find(' '));
            if (name && version.starts_with('v')) {
                out.push_back({"Go", std::string(*name), std::string(version.substr(1)), std::string(path), number});
            }
        }
    }
    return out;
}

/// Whether an OSV "range" holds the version: its events are in order of versions, whatever order they stand in.
bool is_in_range(json::value range, std::string_view version) {
    if (range.text_or("type") == "GIT") {
        return false;
    }
    struct event {
        std::string version;
        int what; ///< 0: introduced; 1: fixed; 2: the last that is affected.
    };
    std::vector<event> events;
    if (const auto list = range.find("events")) {
        list->each_element([&](json::value e) {
            constexpr std::string_view names[] = {"introduced", "fixed", "last_affected"};
            for (int what = 0; what < 3 && events.size() < 1000; ++what) {
                if (auto at = e.text_or(names[what]); !at.empty()) {
                    events.push_back({std::move(at), what});
                }
            }
        });
    }
    std::ranges::stable_sort(events,
                             [](const event& a, const event& b) { return compare_versions(a.version, b.version) < 0; });
    bool affected = false;
    for (const auto& e : events) {
        const auto order = compare_versions(version, e.version);
        if (e.what == 0 && (e.version == "0" || order >= 0)) {
            affected = true;
        } else if ((e.what == 1 && order >= 0) || (e.what == 2 && order > 0)) {
            affected = false;
        }
    }
    return affected;
}

bool is_affected(json::value affected, std::string_view version) {
    bool found = false;
    if (const auto versions = affected.find("versions")) {
        versions->each_element([&](json::value v) { found = found || v.as_string() == version; });
    }
    if (const auto ranges = affected.find("ranges")) {
        ranges->each_element([&](json::value r) { found = found || is_in_range(r, version); });
    }
    return found;
}

} // namespace

std::strong_ordering compare_versions(std::string_view a, std::string_view b) {
    const auto [release_a, pre_a] = release_of(a);
    const auto [release_b, pre_b] = release_of(b);
    if (const auto order = compare_parts(release_a, release_b, true); order != 0) {
        return order;
    }
    if (pre_a.empty() != pre_b.empty()) {
        return pre_a.empty() ? std::strong_ordering::greater : std::strong_ordering::less;
    }
    return compare_parts(pre_a, pre_b, false);
}

bool is_lock_file(std::string_view path) {
    const auto name = path.substr(path.rfind('/') + 1);
    return name == "package-lock.json" || name == "Cargo.lock" || name == "go.mod" ||
           (name.starts_with("requirements") && name.ends_with(".txt"));
}

std::vector<dependency> read_lock_file(std::string_view path, std::string_view text) {
    const auto name = path.substr(path.rfind('/') + 1);
    return name == "package-lock.json" ? read_npm(path, text)
           : name == "Cargo.lock"      ? read_cargo_lock(path, text)
           : name == "go.mod"          ? read_go_mod(path, text)
                                       : read_requirements(path, text);
}

void dependency_table::add(std::vector<dependency> all) {
    size_ += all.size();
    for (auto& d : all) {
        all_[{d.ecosystem, key_of(d.ecosystem, d.name)}].push_back(std::move(d));
    }
}

bool dependency_table::judge(std::string_view osv_json, std::vector<audit_finding>& out,
                             std::uint64_t& advisories) const {
    const auto parsed = json::document::parse(osv_json);
    if (!parsed) {
        return false;
    }
    bool known = false;
    const auto entry = [&](json::value e) {
        const auto id = e.text_or("id");
        const auto list = e.find("affected");
        if (id.empty() || !list) {
            return;
        }
        known = true;
        ++advisories;
        if (e.find("withdrawn")) {
            return;
        }
        list->each_element([&](json::value affected) {
            const auto package = affected.find("package");
            const auto ecosystem = package ? package->text_or("ecosystem") : "";
            const auto found = all_.find({ecosystem, package ? key_of(ecosystem, package->text_or("name")) : ""});
            if (found == all_.end()) {
                return;
            }
            for (const auto& d : found->second) {
                if (!is_affected(affected, d.version) || out.size() >= 2 * audit_findings_max) {
                    continue;
                }
                const auto summary = e.text_or("summary").substr(0, 300);
                out.push_back({"dependency-advisory", audit_level::error, d.file, d.line,
                               without_escapes(fmt::format("{} {} is affected by {}{}{}", d.name, d.version, id,
                                                           summary.empty() ? "" : ": ", summary)),
                               fingerprint_of("dependency-advisory", d.file, d.name + "\n" + id)});
            }
        });
    };
    if (parsed->root().type() == json::kind::array) {
        parsed->root().each_element(entry);
    } else {
        entry(parsed->root());
    }
    return known;
}

} // namespace troupe::actors
