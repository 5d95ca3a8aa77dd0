#pragma once

#include "bin/cli/api.hpp"
#include "bin/cli/args.hpp"
#include "bin/cli/node.hpp"
#include "bin/cli/terminal.hpp"
#include "schemas/base/problem.hpp"

#include <filesystem>
#include <functional>
#include <iosfwd>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

/// The subcommands of `troupe` as data, and what each of them has at hand.
namespace troupe::cli {

/// What a program does with its surroundings; tests give their own.
struct surroundings {
    std::ostream* out = nullptr;
    std::ostream* err = nullptr;
    screen out_screen;
    screen err_screen;
    bool can_ask = false; ///< Standard input and output are a terminal.
    bool typed = false;   ///< Standard input is a terminal.
    node_search search;
};
surroundings surroundings_here();

/// What a running command has.
class context {
public:
    context(const surroundings& around, arguments given, std::string_view command_name);

    [[nodiscard]] const arguments& args() const { return args_; }
    [[nodiscard]] bool json() const { return args_.has("json"); }
    [[nodiscard]] const screen& out_screen() const { return around_.out_screen; }
    [[nodiscard]] const screen& err_screen() const { return around_.err_screen; }
    [[nodiscard]] bool can_ask() const { return around_.can_ask && !json(); }
    /// Somebody types the input: passwords are asked for, also when the output goes elsewhere.
    [[nodiscard]] bool typed() const { return around_.typed; }
    /// The time that relative times are given against.
    [[nodiscard]] timestamp now() const { return now_; }

    void print(std::string_view text);
    /// The same without a flush: for much. `can_write` says whether anybody still takes it.
    void write(std::string_view text);
    [[nodiscard]] bool can_write() const;
    /// JSON as one line, as the API sent it.
    void print_json(std::string_view json);
    /// Whether all that was printed so far has been taken. A command that prints without end stops when it is not.
    [[nodiscard]] bool written() const;
    /// For people, beside the output: hints and progress.
    void note(std::string_view text);
    /// For people at a terminal: replaces the progress shown before; empty text removes it.
    void progress(std::string_view text);

    /// Says what is wrong with the command line and answers its exit code.
    int usage(const problem& p);

    /// The node, found when it is first needed.
    expected<api*> node();
    /// The node once more, when it may have moved (a restart on another port). Keeps the old one when none is found.
    void find_node_again();
    [[nodiscard]] node_search search() const;
    /// The first operand, else the data folder that is found without it.
    [[nodiscard]] std::optional<std::filesystem::path> data_folder() const;

private:
    const surroundings& around_;
    arguments args_;
    std::string command_name_;
    timestamp now_;
    std::unique_ptr<api> api_;
};

/// One command: declaration and handler on one row. The handler answers the exit code, or a problem.
struct command {
    std::string name; ///< "run start"
    std::string summary;
    grammar takes = {};
    std::string examples = {};                ///< Lines, without indentation.
    expected<int> (*run)(context&) = nullptr; ///< Null: `serve`, which `main` starts.
};

/// Every command, grouped by first word.
const std::vector<command>& all_commands();

// The rows of each file.
std::vector<command> status_commands();
std::vector<command> trouble_commands();
std::vector<command> project_commands();
std::vector<command> agent_commands();
std::vector<command> task_commands();
std::vector<command> attachment_commands();
std::vector<command> chat_commands();
std::vector<command> board_commands();
std::vector<command> notify_commands();
std::vector<command> doc_commands();
std::vector<command> goal_commands();
std::vector<command> run_commands();
std::vector<command> run_history_commands();
std::vector<command> approval_commands();
std::vector<command> event_commands();
std::vector<command> model_commands();
std::vector<command> tool_commands();
std::vector<command> cassette_commands();
std::vector<command> mcp_commands();
std::vector<command> mcp_offers_commands();
std::vector<command> mcp_catalogue_commands();
std::vector<command> mcp_serve_commands();
std::vector<command> secret_commands();
std::vector<command> login_commands();
std::vector<command> mfa_commands();
std::vector<command> compliance_commands();
std::vector<command> user_commands();
std::vector<command> organization_commands();
std::vector<command> usage_commands();
std::vector<command> settings_commands();
std::vector<command> role_commands();
std::vector<command> audit_commands();
std::vector<command> erase_commands();
std::vector<command> key_commands();
std::vector<command> backup_commands();
std::vector<command> journal_commands();
std::vector<command> local_commands();
std::vector<command> bench_commands();
std::vector<command> cluster_commands();
command cluster_init_command(); ///< A row of these.

/// Runs a command line (without the program's name) other than `serve` and answers the exit code: 0 ok, 1 failed,
/// 2 usage, 3 no node, 4 not found, 5 refused.
int run_cli(const std::vector<std::string>& words, const surroundings& around);

/// Help: of everything, of a group ("run") or of one command.
std::string help_text(std::string_view name, const screen& s);
/// A script for bash: commands, flags and nothing that needs a node.
std::string bash_completion();
/// "error: …" with places and remedy.
std::string problem_text(const problem& p, const screen& s);

} // namespace troupe::cli
