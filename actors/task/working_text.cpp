#include "actors/task/working_text.hpp"

#include "actors/common/task_numbers.hpp"
#include "actors/common/text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <set>
#include <utility>

namespace troupe::actors {
namespace {

using enum task_status;

constexpr std::string_view heading = "# Mission Control - Working State";
constexpr std::string_view updated_label = "Last Updated: ";
constexpr std::string_view tasks_heading = "## Current Tasks";
constexpr std::string_view done_mark = " ✅";
constexpr task_status always_shown[] = {inbox, assigned, in_progress, review, done};
constexpr task_status shown_with_tasks[] = {blocked, failed, cancelled};
constexpr std::size_t errors_max = 20;
constexpr std::size_t title_bytes_max = 300;
constexpr std::string_view no_title = "(no title)"; ///< Of a title of which the text shows nothing.
constexpr std::size_t tasks_max = 5000;             ///< In a text: more than all columns show.
constexpr std::size_t new_tasks_max = 500;          ///< Of one edit.

std::string upper_case(std::string_view text) {
    std::string out(text);
    std::ranges::transform(out, out.begin(), [](unsigned char c) { return static_cast<char>(std::toupper(c)); });
    return out;
}

std::string_view trimmed(std::string_view text) {
    const auto begin = std::min(text.find_first_not_of(" \t\r"), text.size());
    const auto end = text.find_last_not_of(" \t\r");
    return end == std::string_view::npos ? std::string_view() : text.substr(begin, end + 1 - begin);
}

/// As a line can say it, in whole.
std::string one_line(std::string_view title, task_status status) {
    std::string out(title);
    std::ranges::replace_if(
        out, [](unsigned char c) { return c < 0x20; }, ' ');
    out = trimmed(out);
    while (status == done && out.ends_with(trimmed(done_mark))) {
        out = trimmed(std::string_view(out).substr(0, out.size() - trimmed(done_mark).size()));
    }
    return out;
}

std::string line_of(const working_task& t) {
    auto title = working_title(t.title, t.status);
    if (t.agent.empty() && (title.starts_with('@') || title.starts_with('\\'))) {
        title = "\\" + title; // else it would name an agent
    }
    return fmt::format("- [{}] {}{}{}\n", t.key, t.agent.empty() ? "" : "@" + t.agent + " - ", title,
                       t.status == done ? done_mark : "");
}

void render_section(std::string& out, task_status status, const std::vector<working_task>& tasks, bool always) {
    std::string lines;
    for (const auto& t : tasks) {
        lines += t.status == status ? line_of(t) : "";
    }
    if (always || !lines.empty()) {
        out += fmt::format("### {}\n{}", upper_case(detail::enum_name(status)), lines);
    }
}

/// Reads the lines one after the other, and gathers what is wrong with them.
class reader {
public:
    expected<working_text> read(std::string_view text) {
        std::size_t number = 0;
        while (!text.empty()) {
            const auto end = std::min(text.find('\n'), text.size());
            take(trimmed(text.substr(0, end)), ++number);
            text.remove_prefix(std::min(end + 1, text.size()));
        }
        if (!dated_) {
            wrong(1, fmt::format("there has to be a line \"{}TIME\", as the text had it that you read", updated_label));
        }
        if (!tasks_seen_) {
            wrong(number, fmt::format("the section \"{}\" is missing", tasks_heading));
        }
        if (errors_.empty()) {
            return std::move(out_);
        }
        return problem{code::invalid_request, "The text cannot be read: " + first_, std::move(errors_)};
    }

private:
    void wrong(std::size_t line, std::string why) {
        if (first_.empty()) {
            first_ = fmt::format("line {}: {}.", line, why);
        }
        if (errors_.size() < errors_max) {
            errors_.push_back({fmt::format("/lines/{}", line), std::move(why)});
        }
    }

    void take(std::string_view line, std::size_t number) {
        if (line.starts_with(updated_label) && !dated_) {
            const auto time = parse_timestamp(line.substr(updated_label.size()));
            if (!time) {
                return wrong(number, "this is no time, as 2026-02-02T10:30:00Z");
            }
            dated_ = true;
            out_.updated = *time;
        } else if (line.starts_with("## ")) {
            in_tasks_ = line == tasks_heading;
            tasks_seen_ = tasks_seen_ || in_tasks_;
            status_.reset();
        } else if (in_tasks_ && line.starts_with("### ")) {
            auto name = std::string(trimmed(line.substr(4)));
            std::ranges::transform(name, name.begin(),
                                   [](unsigned char c) { return static_cast<char>(std::tolower(c)); });
            status_ = detail::enum_value<task_status>(name);
            if (!status_) {
                wrong(number, "there is no such column: INBOX, ASSIGNED, IN_PROGRESS, REVIEW, DONE, BLOCKED, FAILED or "
                              "CANCELLED");
                status_unknown_ = true;
            } else {
                status_unknown_ = false;
            }
        } else if (in_tasks_ && !line.empty() && !line.starts_with("<!--")) {
            take_task(line, number);
        }
    }

    void take_task(std::string_view line, std::size_t number) {
        if (!line.starts_with("- ") && !line.starts_with("* ")) {
            return wrong(number, "a task is a line as \"- [TASK-003] @agent - Title\"; a new one has no [TASK-…]");
        }
        if (!status_) {
            return status_unknown_ ? void() : wrong(number, "this task stands under no column");
        }
        working_task t;
        t.status = *status_;
        t.line = number;
        auto rest = trimmed(line.substr(2));
        if (rest.starts_with('[')) {
            const auto close = rest.find(']');
            const auto key = close == std::string_view::npos ? std::nullopt : task_number_in(rest.substr(1, close - 1));
            if (!key) {
                return wrong(number, "what stands in [ ] is no key, as TASK-003");
            }
            t.key = task_key(*key);
            if (!keys_.insert(t.key).second) {
                return wrong(number, t.key + " stands here a second time");
            }
            rest = trimmed(rest.substr(close + 1));
        }
        if (rest.starts_with('@')) {
            const auto dash = rest.find(" - ");
            if (dash == std::string_view::npos) {
                return wrong(number, "behind @agent comes \" - \" and the title");
            }
            t.agent = trimmed(rest.substr(1, dash - 1));
            rest = trimmed(rest.substr(dash + 3));
        } else if (t.agent.empty() && rest.starts_with('\\')) {
            rest.remove_prefix(1);
        }
        const auto title = one_line(rest, t.status);
        if (title.empty() || title.size() > title_bytes_max) {
            return wrong(number, fmt::format("a title has 1 to {} bytes", title_bytes_max));
        }
        if (out_.tasks.size() == tasks_max) {
            return wrong(number, fmt::format("a text has at most {} tasks", tasks_max));
        }
        t.title = working_title(title, t.status);
        out_.tasks.push_back(std::move(t));
    }

    working_text out_;
    std::vector<field_error> errors_;
    std::string first_;
    std::set<std::string> keys_;
    bool dated_ = false;
    bool in_tasks_ = false;
    bool tasks_seen_ = false;
    bool status_unknown_ = false;
    std::optional<task_status> status_;
};

std::string shown(task_status s) { return upper_case(detail::enum_name(s)); }
std::string shown(const std::string& text) { return text.empty() ? "nobody" : "\"" + text + "\""; }

/// Compares one text with what it showed and with what is.
class merger {
public:
    merger(const std::map<std::string, working_task>& base, const std::map<std::string, working_task>& now)
        : base_(base), now_(now) {}

    void take(const working_task& t) {
        if (t.key.empty()) {
            return take_new(t);
        }
        const auto now = now_.find(t.key);
        const auto base = base_.find(t.key);
        if (now == now_.end()) {
            return base == base_.end() ? refuse(t.line, "there is no " + t.key)
                                       : conflict(t.line, t.key + " was deleted meanwhile");
        }
        const auto& was = base == base_.end() ? now->second : base->second;
        working_change c;
        c.key = t.key;
        c.line = t.line;
        take_member(t, "the title", t.title, was.title, now->second.title, c.title);
        take_member(t, "the column", t.status, was.status, now->second.status, c.status);
        take_member(t, "the agent", t.agent, was.agent, now->second.agent, c.agent);
        if (c.agent && t.agent.empty()) {
            if (t.status != inbox) {
                return refuse(t.line, "to take it from its agent, put it under INBOX");
            }
            c.agent.reset();
        } else if (c.agent && t.status != assigned) {
            return refuse(t.line, "a task that is given to an agent stands under ASSIGNED");
        }
        if (c.title || c.status || c.agent) {
            changes_.push_back(std::move(c));
        }
    }

    /// Lines that the text had, and has no more.
    void check_missing(const std::vector<working_task>& edited) {
        std::set<std::string_view> there;
        for (const auto& t : edited) {
            there.insert(t.key);
        }
        for (const auto& [key, was] : base_) {
            if (!there.contains(key) && now_.contains(key)) {
                refuse(0, key + " was taken out: put its line back, and delete it with DELETE /tasks/" + key +
                              " or put it under CANCELLED");
            }
        }
    }

    expected<std::vector<working_change>> result() {
        if (!refused_.empty()) {
            return problem{code::invalid_request, "Nothing was changed. " + first_, std::move(refused_)};
        }
        if (!conflicts_.empty()) {
            return problem{code::conflict, "Nothing was changed: others changed the same meanwhile. " + first_,
                           std::move(conflicts_)};
        }
        return std::move(changes_);
    }

private:
    void take_new(const working_task& t) {
        if (++new_tasks_ > new_tasks_max) {
            return refuse(t.line, fmt::format("at most {} tasks are made at once", new_tasks_max));
        }
        if (t.status != inbox && t.status != assigned) {
            return refuse(t.line, "a new task begins under INBOX, or under ASSIGNED with its @agent");
        }
        if ((t.status == assigned) != !t.agent.empty()) {
            return refuse(t.line, t.agent.empty() ? "under ASSIGNED there has to be an @agent"
                                                  : "a task that is given to an agent stands under ASSIGNED");
        }
        changes_.push_back({"", t.status, t.agent.empty() ? std::nullopt : std::optional(t.agent), t.title, t.line});
    }

    template <class Value>
    void take_member(const working_task& t, std::string_view what, const Value& mine, const Value& was,
                     const Value& now, std::optional<Value>& change) {
        if (mine == was || mine == now) {
            return;
        }
        if (now != was) {
            return conflict(t.line, fmt::format("{}, {}: yours {}, now {}, before {}", t.key, what, shown(mine),
                                                shown(now), shown(was)));
        }
        change = mine;
    }

    void note(std::vector<field_error>& into, std::size_t line, std::string why) {
        if (first_.empty() || &into == &refused_) {
            first_ = line == 0 ? why + "." : fmt::format("Line {}: {}.", line, why);
        }
        if (into.size() < errors_max) {
            into.push_back({line == 0 ? "/lines" : fmt::format("/lines/{}", line), std::move(why)});
        }
    }
    void refuse(std::size_t line, std::string why) { note(refused_, line, std::move(why)); }
    void conflict(std::size_t line, std::string why) { note(conflicts_, line, std::move(why)); }

    const std::map<std::string, working_task>& base_;
    const std::map<std::string, working_task>& now_;
    std::vector<working_change> changes_;
    std::size_t new_tasks_ = 0;
    std::vector<field_error> refused_;
    std::vector<field_error> conflicts_;
    std::string first_;
};

} // namespace

std::string working_title(std::string_view title, task_status status) {
    auto out = one_line(utf8_prefix(one_line(title, status), title_bytes_max), status);
    return out.empty() ? std::string(no_title) : out;
}

std::string render(const working_state& s) {
    auto out = fmt::format("{}\n{}{}\n\n## Active Agents\n", heading, updated_label, to_string(s.updated));
    for (const auto& a : s.agents) {
        out += fmt::format("- {} [{}] - {}\n", a.session_key, a.status, a.doing);
    }
    out += fmt::format("\n{}\n\n", tasks_heading);
    for (const auto status : always_shown) {
        render_section(out, status, s.tasks, true);
    }
    for (const auto status : shown_with_tasks) {
        render_section(out, status, s.tasks, false);
    }
    if (s.more) {
        out += "<!-- There are more tasks than stand here: see GET /board. -->\n";
    }
    out += "\n## Recent Activity\n";
    for (const auto& line : s.recent) {
        out += "- " + line + "\n";
    }
    return out;
}

expected<working_text> parse_working(std::string_view text) { return reader().read(text); }

expected<std::vector<working_change>> merge_working(const std::vector<working_task>& edited,
                                                    const std::map<std::string, working_task>& base,
                                                    const std::map<std::string, working_task>& now) {
    merger m(base, now);
    for (const auto& t : edited) {
        m.take(t);
    }
    m.check_missing(edited);
    return m.result();
}

} // namespace troupe::actors
