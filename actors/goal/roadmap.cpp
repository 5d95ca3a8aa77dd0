#include "actors/goal/plan.hpp"
#include "schemas/name_messages.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <optional>
#include <set>
#include <string>
#include <utility>

// Roadmaps as people write them. Linear in the text.
namespace troupe::actors {
namespace {

constexpr std::size_t problems_max = 20;
constexpr std::size_t title_bytes_max = 300;
constexpr std::size_t listed_max = 1000; ///< With those that are done.

std::string_view trimmed(std::string_view text) {
    const auto begin = text.find_first_not_of(" \t\r");
    return begin == std::string_view::npos ? std::string_view()
                                           : text.substr(begin, text.find_last_not_of(" \t\r") - begin + 1);
}

std::vector<std::string> values_in(std::string_view list) {
    std::vector<std::string> out;
    while (!list.empty()) {
        const auto end = std::min(list.find_first_of(",;"), list.size());
        if (const auto one = trimmed(list.substr(0, end)); !one.empty()) {
            out.emplace_back(one);
        }
        list.remove_prefix(std::min(end + 1, list.size()));
    }
    return out;
}

/// What an item below a task says, by the words before its colon.
enum class fact : std::uint8_t { none, depends_on, capability, priority, estimate, deliverables, acceptance };

fact fact_named(std::string_view words) {
    struct name {
        std::string_view words;
        fact meant;
    };
    static constexpr name names[] = {{"depends on", fact::depends_on},    {"dependencies", fact::depends_on},
                                     {"capability", fact::capability},    {"capabilities", fact::capability},
                                     {"priority", fact::priority},        {"estimate", fact::estimate},
                                     {"deliverable", fact::deliverables}, {"deliverables", fact::deliverables},
                                     {"acceptance", fact::acceptance},    {"acceptance criteria", fact::acceptance}};
    const auto folded = fold_name(trimmed(words));
    for (const auto& one : names) {
        if (one.words == folded) {
            return one.meant;
        }
    }
    return fact::none;
}

struct line {
    std::size_t number = 0;
    std::size_t indent = 0;
    std::string_view text; ///< Without indent; without the dash of an item.
    bool item = false;
};

class reader {
public:
    expected<std::vector<planned_task>> read(std::string_view text) {
        for (std::size_t number = 1; !text.empty(); ++number) {
            const auto end = std::min(text.find('\n'), text.size());
            take(split(number, text.substr(0, end)));
            text.remove_prefix(std::min(end + 1, text.size()));
        }
        resolve();
        if (!wrong_.empty()) {
            return problem{code::invalid_request, wrong_.front().message, std::move(wrong_)};
        }
        std::vector<planned_task> out;
        for (auto& t : tasks_) {
            if (!t.done) {
                out.push_back(std::move(t.plan));
            }
        }
        if (out.empty()) {
            return problem{code::invalid_request,
                           "The roadmap has no task that is to be done. Write each as \"- [ ] Title\".",
                           {{"/roadmap", "has no \"- [ ] Title\""}}};
        }
        return ordered_plan(std::move(out));
    }

private:
    struct written_task {
        planned_task plan;
        bool done = false;
        std::size_t line = 0;
        std::size_t indent = 0;
    };

    static line split(std::size_t number, std::string_view whole) {
        line out{number, 0, {}, false};
        for (const char c : whole) {
            if (c != ' ' && c != '\t') {
                break;
            }
            out.indent += c == '\t' ? 4 : 1;
        }
        out.text = trimmed(whole);
        if (out.text.starts_with("- ") || out.text.starts_with("* ")) {
            out.item = true;
            out.text = trimmed(out.text.substr(2));
        }
        return out;
    }

    void complain(std::size_t number, const std::string& detail) {
        if (wrong_.size() < problems_max) {
            wrong_.push_back({"/roadmap", fmt::format("line {}: {}", number, detail)});
        }
    }

    void take(const line& l) {
        if (l.text.empty()) {
            return;
        }
        if (l.text.starts_with("##") && l.indent == 0) {
            begin_phase(l);
        } else if (l.text.starts_with("#") && l.indent == 0) {
            open_ = false; // the title of all
        } else if (l.item && l.text.starts_with("[") && l.text.size() > 2 && l.text[2] == ']') {
            begin_task(l);
        } else if (open_ && l.indent > tasks_.back().indent) {
            describe(l);
        } else {
            open_ = false; // text between tasks
        }
    }

    void begin_phase(const line& l) {
        open_ = false;
        phase_ = trimmed(l.text.substr(std::min(l.text.find_first_not_of('#'), l.text.size())));
        ++phases_;
        in_phase_ = 0;
    }

    void begin_task(const line& l) {
        const char box = l.text[1];
        const auto title = trimmed(l.text.substr(3));
        if (box != ' ' && box != 'x' && box != 'X') {
            return complain(l.number,
                            fmt::format("the box holds '{}': leave it blank, or write x where it is done", box));
        }
        if (title.empty() || title.size() > title_bytes_max) {
            return complain(l.number, fmt::format("a title has 1 to {} bytes", title_bytes_max));
        }
        if (tasks_.size() == listed_max) {
            return complain(l.number, fmt::format("a roadmap lists at most {} tasks", listed_max));
        }
        written_task t;
        t.line = l.number;
        t.indent = l.indent;
        t.done = box != ' ';
        t.plan.id = fmt::format("{}.{}", std::max<std::size_t>(phases_, 1), ++in_phase_);
        t.plan.title = title;
        t.plan.phase = phase_;
        tasks_.push_back(std::move(t));
        open_ = true;
        listed_ = fact::none;
    }

    void describe(const line& l) {
        auto& task = tasks_.back().plan;
        const auto colon = l.item ? l.text.find(':') : std::string_view::npos;
        const auto named = colon == std::string_view::npos ? fact::none : fact_named(l.text.substr(0, colon));
        if (named != fact::none) {
            listed_ = named;
            list_indent_ = l.indent;
            note(l, named, trimmed(l.text.substr(colon + 1)));
        } else if (l.item && listed_ != fact::none && l.indent > list_indent_) {
            note_one(l, listed_, l.text);
        } else {
            listed_ = fact::none;
            task.description += (task.description.empty() ? "" : "\n") + std::string(l.text);
        }
    }

    /// Sentences have commas: only names are told apart by them.
    void note(const line& l, fact what, std::string_view rest) {
        if (rest.empty()) {
            return;
        }
        if (what == fact::depends_on || what == fact::capability) {
            for (const auto& one : values_in(rest)) {
                note_one(l, what, one);
            }
        } else {
            note_one(l, what, rest);
        }
    }

    void note_one(const line& l, fact what, std::string_view value) {
        auto& task = tasks_.back().plan;
        switch (what) {
        case fact::depends_on:
            task.depends_on.emplace_back(value);
            break;
        case fact::capability:
            task.capabilities.emplace_back(value);
            break;
        case fact::priority:
            if (const auto priority = detail::enum_value<task_priority>(fold_name(value))) {
                task.priority = *priority;
            } else {
                complain(l.number, fmt::format("the priority '{}' is none of low, medium, high, urgent", value));
            }
            break;
        case fact::estimate:
            task.estimate = value;
            break;
        case fact::deliverables:
            task.deliverables.emplace_back(value);
            break;
        case fact::acceptance:
            task.acceptance.emplace_back(value);
            break;
        case fact::none:
            break;
        }
    }

    const written_task* find(const std::string& name) const {
        const auto same = [&](const written_task& t) {
            return t.plan.id == name || fold_name(t.plan.title) == fold_name(name);
        };
        const auto found = std::find_if(tasks_.begin(), tasks_.end(), same);
        return found == tasks_.end() ? nullptr : &*found;
    }

    /// Titles become ids; what is done needs no waiting for.
    void resolve() {
        for (auto& t : tasks_) {
            std::vector<std::string> ids;
            for (const auto& name : t.plan.depends_on) {
                const auto* other = find(name);
                if (other == nullptr) {
                    complain(t.line,
                             fmt::format("'{}' waits for '{}', which is no task of the roadmap", t.plan.title, name));
                } else if (!other->done) {
                    ids.push_back(other->plan.id);
                }
            }
            t.plan.depends_on = std::move(ids);
        }
    }

    std::vector<written_task> tasks_;
    std::vector<field_error> wrong_;
    std::string phase_;
    std::size_t phases_ = 0;
    std::size_t in_phase_ = 0;
    bool open_ = false; ///< Indented lines belong to the last task.
    fact listed_ = fact::none;
    std::size_t list_indent_ = 0;
};

} // namespace

expected<std::vector<planned_task>> read_roadmap(std::string_view text) { return reader().read(text); }

} // namespace troupe::actors
