//! Jamf Pro's inventory exports as a normalizer.

normalizer_adapter::export_tool!(normalizer_adapter::JAMF);
