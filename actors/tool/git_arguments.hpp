#pragma once

#include "actors/tool/tool_arguments.hpp"

#include <string>
#include <vector>

/// The arguments of the tools of git; see `tool_arguments.hpp`.
namespace troupe::actors {

inline constexpr std::int64_t revision_bytes_max = 250;

struct git_status_arguments {};
BOOST_DESCRIBE_STRUCT(git_status_arguments, (), ())

struct git_diff_arguments {
    std::string from;
    std::string to;
    bool staged = false;
    std::vector<std::string> paths;
    static constexpr field_rule rules[] = {
        {.name = "from", .max = revision_bytes_max, .doc = "Revision to compare with; HEAD when left out."},
        {.name = "to", .max = revision_bytes_max, .doc = "Revision that is compared; the working files when left out."},
        {.name = "staged", .doc = "Compares what is staged in place of the working files."},
        {.name = "paths", .max = 100, .doc = "Only these files and folders."}};
};
BOOST_DESCRIBE_STRUCT(git_diff_arguments, (), (from, to, staged, paths))

struct git_log_arguments {
    std::string revision;
    std::string path;
    std::uint32_t count = 20;
    static constexpr field_rule rules[] = {
        {.name = "revision", .max = revision_bytes_max, .doc = "Where to begin; HEAD when left out."},
        {.name = "path", .max = path_bytes_max, .doc = "Only commits that changed this file or folder."},
        {.name = "count", .min = 1, .max = 200, .doc = "How many commits; 20 when left out."}};
};
BOOST_DESCRIBE_STRUCT(git_log_arguments, (), (revision, path, count))

struct git_show_arguments {
    std::string revision;
    std::string path;
    static constexpr field_rule rules[] = {
        {.name = "revision", .max = revision_bytes_max, .doc = "A commit; HEAD when left out."},
        {.name = "path",
         .max = path_bytes_max,
         .doc = "Shows this file as it was in the commit, in place of what the commit changed."}};
};
BOOST_DESCRIBE_STRUCT(git_show_arguments, (), (revision, path))

struct git_commit_arguments {
    std::string message;
    std::vector<std::string> paths;
    static constexpr field_rule rules[] = {
        {.name = "message", .required = true, .min = 1, .max = 10'000, .doc = "Why, in a line, with more below it."},
        {.name = "paths",
         .max = 1000,
         .doc = "Only what changed in these files and folders; when left out, all that changed, new files too."}};
};
BOOST_DESCRIBE_STRUCT(git_commit_arguments, (), (message, paths))

struct git_branch_arguments {
    std::string name;
    std::string start;
    bool remove = false;
    bool force = false;
    static constexpr field_rule rules[] = {
        {.name = "name", .max = revision_bytes_max, .doc = "Branch to make; when left out, all are listed."},
        {.name = "start", .max = revision_bytes_max, .doc = "Revision where it begins; HEAD when left out."},
        {.name = "remove", .doc = "Removes the branch in place of making it."},
        {.name = "force", .doc = "Removes it also when HEAD does not have all of its commits."}};
};
BOOST_DESCRIBE_STRUCT(git_branch_arguments, (), (name, start, remove, force))

struct git_checkout_arguments {
    std::string revision;
    bool create = false;
    bool discard = false;
    static constexpr field_rule rules[] = {
        {.name = "revision", .required = true, .min = 1, .max = revision_bytes_max, .doc = "Branch, or any revision."},
        {.name = "create", .doc = "Makes a branch of that name at HEAD first."},
        {.name = "discard", .doc = "Throws away changes that are not committed; else they keep it from being done."}};
};
BOOST_DESCRIBE_STRUCT(git_checkout_arguments, (), (revision, create, discard))

} // namespace troupe::actors
