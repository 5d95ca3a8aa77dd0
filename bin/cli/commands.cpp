#include "bin/cli/commands.hpp"

#include "bin/cli/logins.hpp"
#include "bin/cli/text.hpp"

#include <fmt/format.h>

#include <algorithm>
#include <csignal>
#include <iostream>
#include <iterator>
#include <ostream>
#include <set>
#include <unistd.h>
#include <utility>

namespace troupe::cli {
namespace {

constexpr int exit_usage = 2;

std::vector<command> serve_row() {
    return {{.name = "serve",
             .summary = "Run the node.",
             .takes = {.flags = {{"config", "FILE", "Configuration file (YAML or JSON)."},
                                 {"listen", "ADDR:PORT", "Where it answers HTTP; port 0 picks a free one."}}},
             .examples = "troupe serve\ntroupe serve --data ./data --listen 127.0.0.1:7117"}};
}

std::string first_word(std::string_view name) { return std::string(name.substr(0, name.find(' '))); }

constexpr std::size_t name_words_max = 3; // "org member set"

/// The row with the longest name that the words begin with; how many words that is.
std::pair<const command*, std::size_t> find_command(std::span<const std::string> words) {
    const auto named = [](const std::string& name) -> const command* {
        const auto found = std::ranges::find(all_commands(), name, &command::name);
        return found == all_commands().end() ? nullptr : &*found;
    };
    for (std::size_t count = std::min(words.size(), name_words_max); count > 0; --count) {
        if (const auto* found = named(fmt::format("{}", fmt::join(words.first(count), " ")))) {
            return {found, count};
        }
    }
    return {nullptr, 0};
}

bool is_group(std::string_view word) {
    return std::ranges::any_of(all_commands(),
                               [&](const command& c) { return c.name.starts_with(std::string(word) + " "); });
}

/// The longest group that the words begin with: "org member", "org" or "".
std::pair<std::string, std::size_t> group_of(std::span<const std::string> words) {
    for (std::size_t count = std::min(words.size(), name_words_max - 1); count > 0; --count) {
        if (auto name = fmt::format("{}", fmt::join(words.first(count), " ")); is_group(name)) {
            return {std::move(name), count};
        }
    }
    return {"", 0};
}

/// What is wrong with words that name no command, and what was probably meant.
problem unknown_command(std::span<const std::string> words) {
    const auto [group, count] = group_of(words);
    const auto lead = group.empty() ? "" : group + " ";
    std::set<std::string> names;
    for (const auto& c : all_commands()) {
        if (c.name.starts_with(lead)) {
            names.insert(group.empty() ? first_word(c.name) : c.name.substr(lead.size()));
        }
    }
    const std::vector<std::string_view> candidates(names.begin(), names.end());
    const auto near = nearest(words[count], candidates);
    const auto wrong = lead + words[count];
    return {code::invalid_request,
            near.empty()
                ? fmt::format("There is no command \"troupe {}\".", wrong)
                : fmt::format("There is no command \"troupe {}\". Did you mean \"troupe {}{}\"?", wrong, lead, near)};
}

int report_usage(const problem& p, std::string_view command_name, const surroundings& around) {
    *around.err << problem_text(problem{p.code, p.detail, p.errors}, around.err_screen)
                << paint(around.err_screen, tone::faint,
                         fmt::format("Help: troupe {}{}--help", command_name, command_name.empty() ? "" : " "))
                << "\n";
    return exit_usage;
}

int run_found(const command& found, std::span<const std::string> words, const surroundings& around) {
    auto given = parse_arguments(found.takes, words);
    if (!given) {
        return report_usage(given.error(), found.name, around);
    }
    if (given->has("help")) {
        *around.out << help_text(found.name, around.out_screen);
        return 0;
    }
    if (!found.run) {
        return report_usage({code::invalid_request, "\"serve\" has to be the first word: troupe serve [flags]."},
                            found.name, around);
    }
    context running(around, std::move(*given), found.name);
    auto result = found.run(running);
    around.out->flush();
    if (result) {
        return *result;
    }
    *around.err << problem_text(result.error(), around.err_screen);
    if (result.error().code == code::step_up_required) {
        *around.err << "Prove that it is you with `troupe login`, and repeat the command.\n";
    }
    if (result.error().code != code::connection_failed) {
        *around.err << paint(around.err_screen, tone::faint,
                             fmt::format("More: troupe problems {}", explain(result.error().code).name))
                    << "\n";
    }
    return exit_code_of(result.error());
}

} // namespace

surroundings surroundings_here() {
    // A reader that has enough (`| head -1`) ends the program in silence, also when our parent ignores the signal.
    std::signal(SIGPIPE, SIG_DFL);
    const auto out = screen_of(STDOUT_FILENO);
    return {.out = &std::cout,
            .err = &std::cerr,
            .out_screen = out,
            .err_screen = screen_of(STDERR_FILENO),
            .can_ask = out.interactive && ::isatty(STDIN_FILENO) == 1,
            .typed = ::isatty(STDIN_FILENO) == 1,
            .search = search_here()};
}

context::context(const surroundings& around, arguments given, std::string_view command_name)
    : around_(around), args_(std::move(given)), command_name_(command_name), now_(system_now()) {}

void context::print(std::string_view text) { *around_.out << text << std::flush; }
void context::write(std::string_view text) { *around_.out << text; }
bool context::can_write() const { return around_.out->good(); }
void context::print_json(std::string_view json) { *around_.out << json << std::endl; }
void context::note(std::string_view text) { *around_.err << text << "\n" << std::flush; }
void context::progress(std::string_view text) { *around_.err << "\r\x1b[K" << text << std::flush; }
bool context::written() const { return around_.out->good(); }
int context::usage(const problem& p) { return report_usage(p, command_name_, around_); }

node_search context::search() const {
    auto search = around_.search;
    search.url = args_.value("url");
    search.key = args_.value("key");
    search.org = args_.value("org");
    search.data = args_.value("data");
    search.ca = args_.value("ca");
    return search;
}

std::optional<std::filesystem::path> context::data_folder() const {
    const auto where = search();
    return args_.operands().empty() ? find_data_folder(where) : where.working_folder / args_.operand(0);
}

expected<api*> context::node() {
    if (!api_) {
        auto where = find_node(search());
        if (!where) {
            return where.error();
        }
        api_ = std::make_unique<api>(std::move(*where), [file = login_file::of(search())](const connection& used) {
            return file ? renew_login(*file, used) : expected<connection>(login_is_over(used.url, ""));
        });
    }
    return api_.get();
}

void context::find_node_again() {
    if (auto where = find_node(search()); where && api_) {
        api_->move_to(std::move(*where));
    }
}

const std::vector<command>& all_commands() {
    static const std::vector<command> rows = [] {
        std::vector<command> all;
        for (auto group : {serve_row(),
                           status_commands(),
                           trouble_commands(),
                           run_commands(),
                           run_history_commands(),
                           approval_commands(),
                           agent_commands(),
                           task_commands(),
                           attachment_commands(),
                           board_commands(),
                           doc_commands(),
                           goal_commands(),
                           chat_commands(),
                           project_commands(),
                           login_commands(),
                           mfa_commands(),
                           compliance_commands(),
                           user_commands(),
                           organization_commands(),
                           usage_commands(),
                           settings_commands(),
                           role_commands(),
                           key_commands(),
                           audit_commands(),
                           secret_commands(),
                           event_commands(),
                           backup_commands(),
                           journal_commands(),
                           erase_commands(),
                           local_commands(),
                           bench_commands(),
                           cluster_commands(),
                           model_commands(),
                           tool_commands(),
                           cassette_commands(),
                           mcp_commands(),
                           mcp_offers_commands(),
                           mcp_catalogue_commands(),
                           mcp_serve_commands(),
                           notify_commands()}) {
            std::ranges::move(group, std::back_inserter(all));
        }
        return all;
    }();
    return rows;
}

namespace {

int run_words(const std::vector<std::string>& given, const surroundings& around) {
    // Flags before the command's name move behind it.
    std::vector<std::string> words = given;
    const auto leading = static_cast<std::ptrdiff_t>(leading_flags(words));
    std::vector<std::string> flags(words.begin(), words.begin() + leading);
    words.erase(words.begin(), words.begin() + leading);
    const bool wants_help =
        std::ranges::find_if(flags, [](const auto& w) { return w == "--help" || w == "-h"; }) != flags.end();
    if (std::ranges::find(flags, "--version") != flags.end()) {
        words = {"version"};
        flags.clear();
    }
    if (!words.empty() && words[0] == "help") {
        words.erase(words.begin());
        words.emplace_back("--help");
    }
    if (words.empty() || words[0] == "--help") {
        *(wants_help || !words.empty() ? around.out : around.err) << help_text("", around.out_screen);
        return wants_help || !words.empty() ? 0 : exit_usage;
    }
    const auto [found, count] = find_command(words);
    if (found) {
        std::vector<std::string> rest(words.begin() + static_cast<std::ptrdiff_t>(count), words.end());
        rest.insert(rest.begin(), flags.begin(), flags.end());
        return run_found(*found, rest, around);
    }
    const auto [group, taken] = group_of(words);
    if (taken > 0 && (words.size() == taken || words[taken].starts_with("-"))) {
        const bool help = wants_help || (words.size() > taken && (words[taken] == "--help" || words[taken] == "-h"));
        *(help ? around.out : around.err) << help_text(group, around.out_screen);
        return help ? 0 : exit_usage;
    }
    return report_usage(unknown_command(words), group, around);
}

} // namespace

int run_cli(const std::vector<std::string>& given, const surroundings& around) {
    const int result = run_words(given, around);
    if (around.out->flush()) {
        return result;
    }
    *around.err << problem_text({code::internal, "The output could not be written to its end: is the disk full?"},
                                around.err_screen);
    return result == 0 ? 1 : result;
}

std::string problem_text(const problem& p, const screen& s) {
    std::string out;
    std::string lead = paint(s, tone::bad, "error:") + " ";
    for (const auto& line :
         wrap(clean(p.detail.empty() ? explain(p.code).title : p.detail), s.width > 7 ? s.width - 7 : 0)) {
        out += lead + line + "\n";
        lead = "       ";
    }
    for (const auto& e : p.errors) {
        const auto place = e.pointer + ": " + e.message;
        if (p.detail != e.message && p.detail.find(place) == std::string::npos) { // else it stands there already
            out += "  " + paint(s, tone::strong, clean_line(e.pointer)) + ": " + clean_line(e.message) + "\n";
        }
    }
    if (p.retry_after_s && p.detail.find("try again in") == std::string::npos) {
        out += fmt::format("  Try again in {} s.\n", *p.retry_after_s);
    }
    return out;
}

} // namespace troupe::cli
