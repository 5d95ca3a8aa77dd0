#pragma once

#include "schemas/base/described.hpp"
#include "schemas/base/limits.hpp"

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

/// Documents: Markdown with versions, for people and agents.
namespace troupe {

BOOST_DEFINE_ENUM_CLASS(document_type, deliverable, research, protocol)
/// What somebody may do with a document, beside the permissions of its role.
BOOST_DEFINE_ENUM_CLASS(document_access, none, read, write)

inline constexpr std::size_t document_bytes_max = 1 * limits::mib;
/// Of a request that brings a content: as JSON it may be longer.
inline constexpr std::size_t document_body_bytes_max = 4 * limits::mib;
/// The newest ones are kept, so that a document that is written again and again stays small.
inline constexpr std::size_t document_versions_max = 500;
inline constexpr std::size_t document_labels_max = 20;
inline constexpr std::size_t document_shares_max = 50;

// ---- API bodies

/// POST /documents
struct create_document_body {
    std::string title;
    std::optional<document_type> type;
    std::optional<std::string> content;
    std::optional<uuid> task_id;
    std::optional<uuid> project_id;
    std::vector<std::string> labels;
    std::string visibility = "organization";
    bool is_template = false;
    std::optional<uuid> template_id;
    std::map<std::string, std::string> values;
    static constexpr field_rule rules[] = {
        {.name = "title",
         .required = true,
         .min = 1,
         .max = 300,
         .doc = "What it is called, in a line.",
         .example = "\"How sums are rounded\""},
        {.name = "type", .doc = "That of the template, or deliverable, when not given.", .example = "\"research\""},
        {.name = "content",
         .max = document_bytes_max,
         .doc = "Markdown, with tables, task lists and strikethrough.",
         .example = R"("# Rounding\n\nHalves go *away* from zero.\n")"},
        {.name = "task_id", .doc = "The task that it belongs to."},
        {.name = "project_id", .doc = "The project that it belongs to."},
        {.name = "labels", .max = document_labels_max, .doc = "Free labels.", .example = "[\"sums\"]"},
        {.name = "visibility",
         .doc = "organization, or private: seen only by who made it, those it is shared with, and administrators.",
         .example = "\"organization\""},
        {.name = "is_template", .doc = "Others are made of it: {{name}} stands for a value."},
        {.name = "template_id", .doc = "The template whose content it takes, instead of a content."},
        {.name = "values", .max = 200, .doc = "What to put in place of each {{name}} of the template."}};
};
BOOST_DESCRIBE_STRUCT(create_document_body, (),
                      (title, type, content, task_id, project_id, labels, visibility, is_template, template_id, values))

/// PUT and PATCH /documents/{id}: what is given is replaced. Another content is a new version.
struct update_document_body {
    std::optional<std::string> title;
    std::optional<document_type> type;
    std::optional<std::string> content;
    std::optional<uuid> task_id;
    std::optional<uuid> project_id;
    std::optional<std::vector<std::string>> labels;
    std::optional<bool> is_template;
    static constexpr field_rule rules[] = {
        {.name = "title", .min = 1, .max = 300, .doc = "What it is called, in a line."},
        {.name = "content",
         .max = document_bytes_max,
         .doc = "Markdown.",
         .example = R"("# Rounding\n\nHalves go to the even neighbour.\n")"},
        {.name = "labels", .max = document_labels_max, .doc = "Free labels."}};
};
BOOST_DESCRIBE_STRUCT(update_document_body, (), (title, type, content, task_id, project_id, labels, is_template))

/// POST /documents/{id}/restore
struct restore_document_body {
    std::uint64_t version = 0;
    static constexpr field_rule rules[] = {
        {.name = "version", .required = true, .min = 1, .doc = "The version to take up again.", .example = "1"}};
};
BOOST_DESCRIBE_STRUCT(restore_document_body, (), (version))

/// POST /documents/{id}/share
struct share_document_body {
    std::vector<uuid> user_ids;
    bool organization = false;
    document_access access = document_access::read;
    static constexpr field_rule rules[] = {
        {.name = "user_ids", .max = document_shares_max, .doc = "Members of the organization."},
        {.name = "organization",
         .doc = "All members whose role lets them see documents; with access none the document becomes private.",
         .example = "true"},
        {.name = "access", .required = true, .doc = "What they may do from now on.", .example = "\"read\""}};
};
BOOST_DESCRIBE_STRUCT(share_document_body, (), (user_ids, organization, access))

// ---- documents

struct document_share {
    uuid user_id;
    document_access access = document_access::read;
};
BOOST_DESCRIBE_STRUCT(document_share, (), (user_id, access))

/// GET /documents/{id}
struct document_document {
    uuid id;
    std::string title;
    document_type type = document_type::deliverable;
    std::optional<uuid> task_id;
    std::optional<uuid> project_id;
    std::vector<std::string> labels;
    std::string visibility; ///< "organization" or "private".
    document_access organization_access = document_access::none;
    std::vector<document_share> shared_with;
    bool is_template = false;
    std::uint64_t version = 0; ///< Of the content.
    std::uint64_t bytes = 0;   ///< Of the content.
    std::string created_by;
    timestamp created_at;
    std::string updated_by;
    timestamp updated_at;
    std::optional<std::string> content = {}; ///< Not in lists, nor in answers to changes.
};
BOOST_DESCRIBE_STRUCT(document_document, (),
                      (id, title, type, task_id, project_id, labels, visibility, organization_access, shared_with,
                       is_template, version, bytes, created_by, created_at, updated_by, updated_at, content))

/// An item of GET /documents/{id}/versions.
struct document_version {
    std::uint64_t version = 0;
    std::uint64_t bytes = 0;
    std::string sha256;
    std::string created_by;
    timestamp created_at;
    std::optional<std::uint64_t> restored_from; ///< Its content is that of this older version.
    std::optional<std::string> content = {};    ///< Not in lists.
};
BOOST_DESCRIBE_STRUCT(document_version, (), (version, bytes, sha256, created_by, created_at, restored_from, content))

/// GET /documents/{id}/diff
struct document_diff {
    std::uint64_t from = 0;
    std::uint64_t to = 0;
    std::string diff; ///< As `diff -u` shows it; empty when both are the same.
};
BOOST_DESCRIBE_STRUCT(document_diff, (), (from, to, diff))

} // namespace troupe
