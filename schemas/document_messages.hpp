#pragma once

#include "schemas/base/described.hpp"
#include "schemas/base/ids.hpp"
#include "schemas/document.hpp"

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

/// Commands to documents (kind "document"). Contents are blobs, which are put before the command that names them.
namespace troupe {

inline constexpr std::string_view document_kind = "document";
/// Versions by zero-padded number.
inline constexpr std::string_view document_versions_collection = "versions";
/// The key of a version there.
std::string document_version_key(std::uint64_t number);

/// In whose name: a person, whatever key it uses, or an agent.
struct document_caller {
    std::string name;     ///< "user/<id>", "agent/<id>", or a key that is nobody's.
    bool manages = false; ///< All documents of the organization.
};
BOOST_DESCRIBE_STRUCT(document_caller, (), (name, manages))

/// A content that is stored.
struct document_content {
    std::string sha256; ///< The blob's name.
    std::uint64_t bytes = 0;
};
BOOST_DESCRIBE_STRUCT(document_content, (), (sha256, bytes))

struct create_document {
    document_caller caller;
    std::string title;
    document_type type = document_type::deliverable;
    document_content content;
    std::optional<uuid> task_id;
    std::optional<uuid> project_id;
    std::vector<std::string> labels;
    document_access organization_access = document_access::write;
    bool is_template = false;
};
BOOST_DESCRIBE_STRUCT(create_document, (),
                      (caller, title, type, content, task_id, project_id, labels, organization_access, is_template))

struct update_document {
    document_caller caller;
    std::optional<std::string> title;
    std::optional<document_type> type;
    std::optional<document_content> content;
    std::optional<uuid> task_id;
    std::optional<uuid> project_id;
    std::optional<std::vector<std::string>> labels;
    std::optional<bool> is_template;
};
BOOST_DESCRIBE_STRUCT(update_document, (), (caller, title, type, content, task_id, project_id, labels, is_template))

struct restore_document {
    document_caller caller;
    std::uint64_t version = 0;
};
BOOST_DESCRIBE_STRUCT(restore_document, (), (caller, version))

struct share_document {
    document_caller caller;
    std::vector<uuid> user_ids;
    bool organization = false;
    document_access access = document_access::read;
};
BOOST_DESCRIBE_STRUCT(share_document, (), (caller, user_ids, organization, access))

struct delete_document {
    document_caller caller;
};
BOOST_DESCRIBE_STRUCT(delete_document, (), (caller))

/// What somebody may do with a document, as far as it says itself. Pure.
document_access access_of(const document_caller& caller, const std::string& created_by,
                          document_access organization_access, const std::vector<document_share>& shared_with);

} // namespace troupe

TROUPE_NAMED(troupe::create_document)
TROUPE_NAMED(troupe::update_document)
TROUPE_NAMED(troupe::restore_document)
TROUPE_NAMED(troupe::share_document)
TROUPE_NAMED(troupe::delete_document)
