#include "actors/kinds/deployer/deploy_journal.hpp"

#include "schemas/base/described.hpp"
#include "schemas/base/durable_file.hpp"

#include <fcntl.h>
#include <sys/file.h>

#include <fmt/format.h>

#include <cerrno>

namespace troupe::actors {

namespace fs = std::filesystem;

namespace {

constexpr std::size_t journal_bytes_max = 4 << 20;
constexpr std::size_t why_bytes_max = 4000;

/// One of the three is there.
struct journal_line {
    std::optional<deploy_header> deployment;
    std::optional<std::uint64_t> begun;
    std::optional<std::uint64_t> ended;
    std::string step; ///< For people.
    bool succeeded = false;
    std::string why;
};
BOOST_DESCRIBE_STRUCT(journal_line, (), (deployment, begun, ended, step, succeeded, why))

} // namespace

expected<std::optional<deploy_record>> read_journal(std::string_view text, const runtime::deploy_target& target) {
    std::optional<deploy_record> out;
    while (!text.empty()) {
        const auto end = text.find('\n');
        if (end == text.npos) {
            break; // torn: what it was about to say was not done yet, or is asked again
        }
        const auto line = from_json<journal_line>(text.substr(0, end), strictness::stored);
        text.remove_prefix(end + 1);
        if (!line || (!out && !line->deployment)) {
            return problem{code::storage_failed, fmt::format("the journal of the target {} is damaged", target.name)};
        }
        if (line->deployment) {
            auto steps = plan_steps(target, line->deployment->strategy, line->deployment->percent);
            if (!steps) {
                return steps.error();
            }
            out = deploy_record{*line->deployment, deployment(std::move(*steps)), false};
        } else if (line->begun) {
            out->begun = *line->begun == out->progress.number();
        } else if (line->ended && *line->ended == out->progress.number()) {
            out->progress.told(line->succeeded, line->why);
            out->begun = false;
        }
    }
    return out;
}

expected<deploy_journal> deploy_journal::open(const runtime::deploy_target& target) {
    std::error_code failed;
    fs::create_directories(target.folder, failed);
    if (failed) {
        return file_problem("create", target.folder, failed.value());
    }
    const auto path = fs::path(target.folder) / "journal.lock";
    unique_fd lock(::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600));
    if (!lock) {
        return file_problem("open", path.native(), errno);
    }
    if (::flock(lock.get(), LOCK_EX | LOCK_NB) != 0) {
        return problem{code::conflict, fmt::format("another deployment to {} is at work", target.name)};
    }
    return deploy_journal(target, std::move(lock));
}

fs::path deploy_journal::file() const { return fs::path(target_->folder) / "journal"; }

expected<std::optional<deploy_record>> deploy_journal::read() const {
    const auto text = read_whole_file(file(), journal_bytes_max);
    if (!text) {
        return text.error().code == code::not_found ? expected<std::optional<deploy_record>>(std::nullopt)
                                                    : text.error();
    }
    const auto whole = text->substr(0, text->rfind('\n') + 1);
    if (whole.size() < text->size()) { // torn: what comes next must not stand behind it
        if (auto mended = replace_file(file(), whole, 0600); !mended) {
            return mended.error();
        }
    }
    return read_journal(whole, *target_);
}

expected<void> deploy_journal::begin(const deploy_header& header) {
    std::error_code none;
    const auto before = fs::path(file()).concat(".before");
    fs::remove(before, none);
    fs::create_hard_link(file(), before, none);
    journal_line line;
    line.deployment = header;
    return replace_file(file(), to_json(line) + "\n", 0600);
}

expected<void> deploy_journal::step_begun(std::size_t number, const planned_step& step) {
    journal_line line;
    line.begun = number;
    line.step = troupe::detail::enum_name(step.step);
    return add(to_json(line));
}

expected<void> deploy_journal::step_ended(std::size_t number, bool succeeded, const std::string& why) {
    journal_line line;
    line.ended = number;
    line.succeeded = succeeded;
    line.why = why.substr(0, why_bytes_max);
    return add(to_json(line));
}

expected<void> deploy_journal::add(const std::string& line) {
    const unique_fd fd(::open(file().c_str(), O_WRONLY | O_APPEND | O_CLOEXEC));
    if (!fd) {
        return file_problem("open", file().native(), errno);
    }
    if (auto written = write_whole(fd.get(), line + "\n", file().native()); !written) {
        return written;
    }
    return ::fsync(fd.get()) == 0 ? expected<void>() : expected<void>(file_problem("write", file().native(), errno));
}

} // namespace troupe::actors
