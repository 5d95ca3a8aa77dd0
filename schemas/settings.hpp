#pragma once

#include "schemas/base/described.hpp"
#include "schemas/security_policy.hpp"

#include <cstdint>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <vector>

/// Settings of an organization: values under dotted keys, with versions, profiles and templates. A sealed value is
/// given as {"secret":"…"} and shown as {"redacted":true}; "secret:NAME" refers to a secret of the organization.
namespace troupe {

BOOST_DEFINE_ENUM_CLASS(settings_import_mode, merge, replace)

inline constexpr std::int64_t settings_why_bytes_max = 500;
inline constexpr std::int64_t settings_values_max = 500; ///< In one place.

/// GET /organizations/{id}/settings
struct settings_document {
    uuid organization_id;
    std::uint64_t version = 0; ///< Of the settings, from 1; 0: nothing was ever set. The ETag is another number.
    setting_values values;
    std::map<std::string, setting_values> profiles; ///< What stands in place of `values` in an environment.
    std::vector<std::string> templates;             ///< The organization's own.
    std::optional<std::string> updated_by;
    std::optional<timestamp> updated_at;
};
BOOST_DESCRIBE_STRUCT(settings_document, (),
                      (organization_id, version, values, profiles, templates, updated_by, updated_at))

/// One value that differs. `place` is "values", "profiles/NAME" or "templates/NAME".
struct setting_difference {
    std::string place;
    std::string key;
    std::optional<json::raw> before; ///< None: it was not there.
    std::optional<json::raw> after;  ///< None: it is not there any more.
};
BOOST_DESCRIBE_STRUCT(setting_difference, (), (place, key, before, after))

/// The answer to whatever changes settings.
struct settings_result_document {
    std::uint64_t version = 0; ///< That it made; the present one where nothing differs.
    bool dry_run = false;      ///< Nothing was changed: `changes` is what would be.
    std::vector<setting_difference> changes;
};
BOOST_DESCRIBE_STRUCT(settings_result_document, (), (version, dry_run, changes))

/// PATCH /organizations/{id}/settings
struct change_settings_body {
    setting_values values;
    std::optional<std::string> profile;
    std::string why;
    bool force = false;
    bool dry_run = false;
    static constexpr field_rule rules[] = {
        {.name = "values",
         .required = true,
         .min = 1,
         .max = settings_values_max,
         .doc = "Each value is set; null takes it away. {\"secret\":\"…\"} is kept sealed and never shown; "
                "\"secret:NAME\" refers to a secret.",
         .example = R"({"mail.from":"robot@acme.example","mail.retries":3})"},
        {.name = "profile",
         .min = 1,
         .max = 40,
         .doc = "The environment that they are for, as production; without it they are for all.",
         .example = R"("production")"},
        {.name = "why", .max = settings_why_bytes_max, .example = R"("the new sender")"},
        {.name = "force", .doc = "Also when the caller would be kept out by the new security policy."},
        {.name = "dry_run", .doc = "Judge and show only."}};
};
BOOST_DESCRIBE_STRUCT(change_settings_body, (), (values, profile, why, force, dry_run))

/// An item of GET /organizations/{id}/settings/versions
struct settings_version_document {
    std::uint64_t version = 0;
    timestamp at;
    std::string by;
    std::string what; ///< "set", "rollback", "import", "template", "taken over".
    std::string why;
    std::optional<std::uint64_t> restores; ///< Of a roll-back: the version whose values it has.
    std::uint64_t changes = 0;             ///< Values that differ from the version before.
    bool forced = false;
};
BOOST_DESCRIBE_STRUCT(settings_version_document, (), (version, at, by, what, why, restores, changes, forced))

/// GET /organizations/{id}/settings/versions/{version}
struct settings_of_version_document : settings_version_document {
    setting_values values;
    std::map<std::string, setting_values> profiles;
    std::map<std::string, setting_values> templates;
};
BOOST_DESCRIBE_STRUCT(settings_of_version_document, (settings_version_document), (values, profiles, templates))

/// GET /organizations/{id}/settings/diff
struct settings_diff_document {
    std::uint64_t from = 0;
    std::uint64_t to = 0;
    std::vector<setting_difference> changes;
};
BOOST_DESCRIBE_STRUCT(settings_diff_document, (), (from, to, changes))

/// POST /organizations/{id}/settings/rollback
struct rollback_settings_body {
    std::uint64_t version = 0;
    std::string why;
    bool force = false;
    bool dry_run = false;
    static constexpr field_rule rules[] = {
        {.name = "version", .required = true, .min = 0, .doc = "0: as before the first one.", .example = "1"},
        {.name = "why", .max = settings_why_bytes_max, .example = R"("the new sender was refused")"},
        {.name = "force", .doc = "Also when the caller would be kept out by that security policy."},
        {.name = "dry_run", .doc = "Judge and show only."}};
};
BOOST_DESCRIBE_STRUCT(rollback_settings_body, (), (version, why, force, dry_run))

/// GET /organizations/{id}/settings/effective
struct effective_settings_document {
    std::optional<std::string> profile;
    std::uint64_t version = 0;
    setting_values values;
    std::vector<std::string> overridden;      ///< Keys whose value is the profile's.
    std::vector<std::string> missing_secrets; ///< Secrets that values refer to, and that are not there.
};
BOOST_DESCRIBE_STRUCT(effective_settings_document, (), (profile, version, values, overridden, missing_secrets))

inline constexpr std::string_view settings_format = "troupe-settings/1";

/// GET /organizations/{id}/settings/export, and what POST …/import takes.
struct settings_export_document {
    std::string format = std::string(settings_format);
    std::optional<uuid> organization_id;
    std::optional<timestamp> exported_at;
    std::optional<std::uint64_t> version;
    setting_values values;
    std::map<std::string, setting_values> profiles;
    std::map<std::string, setting_values> templates;
    static constexpr field_rule rules[] = {
        {.name = "format", .required = true, .example = R"("troupe-settings/1")"},
        {.name = "organization_id", .doc = "Where it comes from; nothing follows from it."},
        {.name = "exported_at"},
        {.name = "version"},
        {.name = "values", .max = settings_values_max, .example = R"({"mail.from":"robot@acme.example"})"},
        {.name = "profiles", .max = 20, .example = R"({"production":{"mail.from":"office@acme.example"}})"},
        {.name = "templates", .max = 50, .example = R"({})"}};
};
BOOST_DESCRIBE_STRUCT(settings_export_document, (),
                      (format, organization_id, exported_at, version, values, profiles, templates))

/// POST /organizations/{id}/settings/import
struct import_settings_body {
    settings_export_document document;
    settings_import_mode mode = settings_import_mode::merge;
    bool dry_run = false;
    std::string why;
    bool force = false;
    static constexpr field_rule rules[] = {
        {.name = "document",
         .required = true,
         .doc = "An export. {\"redacted\":true} keeps the sealed value that is there."},
        {.name = "mode", .doc = "`replace` takes away what the document does not have."},
        {.name = "dry_run", .doc = "Judge and show only."},
        {.name = "why", .max = settings_why_bytes_max, .example = R"("from staging")"},
        {.name = "force", .doc = "Also when the caller would be kept out by the new security policy."}};
};
BOOST_DESCRIBE_STRUCT(import_settings_body, (), (document, mode, dry_run, why, force))

/// An item of GET /organizations/{id}/settings/templates
struct settings_template_document {
    std::string name;
    bool built_in = false;
    std::string description; ///< Of those that are built in.
    setting_values values;
};
BOOST_DESCRIBE_STRUCT(settings_template_document, (), (name, built_in, description, values))

/// PUT /organizations/{id}/settings/templates/{name}
struct put_settings_template_body {
    setting_values values;
    std::string why;
    static constexpr field_rule rules[] = {
        {.name = "values",
         .required = true,
         .min = 1,
         .max = settings_values_max,
         .doc = "What it sets where it is applied. No sealed values: refer to a secret.",
         .example = R"({"mail.from":"robot@acme.example","mail.key":"secret:MAIL"})"},
        {.name = "why", .max = settings_why_bytes_max, .example = R"("for new teams")"}};
};
BOOST_DESCRIBE_STRUCT(put_settings_template_body, (), (values, why))

/// POST /organizations/{id}/settings/templates/{name}/apply
struct apply_settings_template_body {
    std::optional<std::string> profile;
    std::string why;
    bool force = false;
    bool dry_run = false;
    static constexpr field_rule rules[] = {
        {.name = "profile", .min = 1, .max = 40, .doc = "Apply it to this environment only."},
        {.name = "why", .max = settings_why_bytes_max, .example = R"("as the others")"},
        {.name = "force", .doc = "Also when the caller would be kept out by the new security policy."},
        {.name = "dry_run", .doc = "Judge and show only."}};
};
BOOST_DESCRIBE_STRUCT(apply_settings_template_body, (), (profile, why, force, dry_run))

/// GET /organizations/{id}/settings/known
struct known_setting_document {
    std::string key;
    std::string doc;
    json::raw schema; ///< JSON Schema.
};
BOOST_DESCRIBE_STRUCT(known_setting_document, (), (key, doc, schema))

/// JSON of settings, with {"redacted":true} in place of each sealed value.
std::string redacted(std::string json);

} // namespace troupe
